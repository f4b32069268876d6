"""Audio: files, augmentation, fingerprints, speakers, voice activity, quality."""
