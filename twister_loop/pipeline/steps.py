"""The steps of one round, as `loop.run_round` calls them.

Each step calls one stage, or a few, and binds what all stages of the round share: the plan, the
seed, the held-out sets, the folder and the way to run a stage. The order of steps is the loop's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..asr._base import BoundRecognizer, Recognizer
from ..audio.augmentation import Augmentation
from ..core.artifacts import PROVENANCE, reuse_result
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Report, Verdict
from ..data.filters._base import Filter, FilterContext
from . import stage_table
from .plan import Plan
from .preflight import RoundInputs
from .report_reuse import evaluate_or_reuse
from .run_folder import RunFolder, round_number
from .stage_runner import StageRunner as StageRunner
from .stage_table import StageEntry
from .stages.annotation import cluster_speakers, estimate_columns
from .stages.evaluation import evaluate, judge
from .stages.filtering import REJECTED, filter_transcribed, filter_utterances
from .stages.labeling import align, transcribe
from .stages.listing import scan
from .stages.mixture import augment, mix
from .stages.packing import pack
from .stages.rescoring import rescore
from .stages.text_selection import select_texts

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


class RoundSteps:
    """The steps of one round; all of them write below `inputs.folder`."""

    def __init__(
        self, *, plan: Plan, run_folder: RunFolder, inputs: RoundInputs, run_stage: StageRunner
    ) -> None:
        self.plan, self.run_folder, self.inputs = plan, run_folder, inputs
        self.run_stage = run_stage
        self.folder, self.seed, self.cluster = inputs.folder, inputs.seed, plan.cluster
        self.base = plan.asr.initial_checkpoint()
        self.champion = BoundRecognizer(plan.asr, run_folder.champion or self.base)
        teacher = plan.teacher
        self.teacher = (
            BoundRecognizer(teacher, teacher.initial_checkpoint()) if teacher else self.champion
        )
        """The model that labels the pool."""
        number = round_number(inputs.folder)
        self.pseudo_filters = tuple(filter_.in_round(number) for filter_ in plan.pseudo_filters)

    def evaluate(self, checkpoint: Checkpoint, stage: StageEntry) -> Report:
        """Evaluate a checkpoint of the plan's recognizer on every held-out set."""
        return self._evaluate(self.plan.asr, checkpoint, out=stage.path(self.folder))

    def evaluate_references(self) -> dict[str, Report]:
        """Evaluate the other untouched models of the plan; the reports by name."""
        return {
            name: self._evaluate(
                recognizer,
                recognizer.initial_checkpoint(),
                out=stage_table.REFERENCES.path(self.folder, reference=name),
            )
            for name, recognizer in self.plan.references.items()
        }

    def judge(
        self,
        *,
        untouched: Report,
        champion: Report,
        candidate: Report,
        references: Mapping[str, Report],
        candidate_weights: Checkpoint,
    ) -> Verdict:
        """Ask every gate whether the candidate may replace the champion."""
        return self.run_stage(judge)(
            gates=self.plan.gates,
            untouched=untouched,
            champion=champion,
            candidate=candidate,
            references=references,
            normalizer=self.plan.normalizer,
            labeler=self._evaluate_with_labeler(candidate_weights),
            early_stopping_set=self.plan.asr.early_stopping_set,
            looks=self.inputs.looks,
            small_parts=self.inputs.small_parts,
            out=stage_table.VERDICT.path(self.folder),
        )

    def _evaluate(self, recognizer: Recognizer, checkpoint: Checkpoint, out: Path) -> Report:
        return evaluate_or_reuse(
            plan=self.plan,
            run_folder=self.run_folder,
            recognizer=recognizer,
            checkpoint=checkpoint,
            sets=self.inputs.sets,
            run_stage=self.run_stage,
            out=out,
        )

    def _evaluate_with_labeler(self, candidate: Checkpoint) -> Report | None:
        """Evaluate the candidate in the labeling engine, if a gate compares the two engines."""
        if not any(gate.needs_labeler_report for gate in self.plan.gates):
            return None
        development = {
            name: held_out
            for name, held_out in self.inputs.sets.items()
            if held_out.kind == "development"
        }
        return self.run_stage(evaluate)(
            recognizer=self.plan.labeler.recognizer,
            checkpoint=candidate,
            sets=development,
            normalizer=self.plan.normalizer,
            full_window=False,
            key_terms=self.plan.terms,
            out=stage_table.CANDIDATE_BY_LABELER.path(self.folder),
        )

    def scan(self) -> Manifest:
        """Cut the pool at pauses, check it, and annotate it as far as the plan wants."""
        options, columns = self.plan.scan, self.plan.scan.columns_to_estimate
        pool = self.run_stage(scan)(
            options=options,
            listing=self.inputs.pool,
            out=stage_table.POOL.path(self.folder),
        )
        if columns:
            out = stage_table.ANNOTATED.path(self.folder)
            # The columns cost a pass over all audio, and do not change while the pool does not.
            pattern = f"round-*/{stage_table.ANNOTATED.folder}/{PROVENANCE}"
            earlier = self.run_folder.path.glob(pattern)
            reuse_result(estimate_columns, out, earlier, columns=columns, speech=pool)
            pool = self.run_stage(estimate_columns)(
                columns=columns, speech=pool, cluster=self.cluster, out=out
            )
        if options.speakers:
            earlier_speakers = self.run_folder.last_speakers
            pool = self.run_stage(cluster_speakers)(
                options=options.speakers,
                speech=pool,
                earlier_speakers=Manifest.load(earlier_speakers) if earlier_speakers else None,
                out=stage_table.SPEAKERS.path(self.folder),
            )
        return pool

    def transcribe(self, pool: Manifest, labeler: BoundRecognizer) -> Manifest:
        """Pseudo-label the whole pool; with `relabel: new`, trusted labels are carried over."""
        reuse = self.plan.labeler.options.relabel == "new"
        earlier = self.run_folder.last_filtered_labels if reuse else None
        return self.run_stage(transcribe)(
            recognizer=labeler.recognizer,
            checkpoint=labeler.checkpoint,
            speech=pool,
            earlier_labels=Manifest.load(earlier) if earlier else None,
            cluster=self.cluster,
            out=stage_table.PSEUDO_LABELS.path(self.folder),
        )

    def select_texts(self, pseudo_labels: Manifest) -> Manifest:
        """Choose the sentences to synthesize: cleaned, each once, none of them held out."""
        selection = self.plan.text_selection
        # The labels only matter where texts are chosen by what the pool already has. Elsewhere they
        # stay out of the cache key, so that new audio does not make the texts stale.
        return self.run_stage(select_texts)(
            filters=self.plan.text_filters,
            selection=selection,
            texts=self.inputs.texts,
            held_out=self.inputs.held_out,
            labels=pseudo_labels if selection.texts else None,
            seed=self.seed if selection.texts else 0,
            normalizer=self.plan.normalizer,
            key_terms=self.plan.terms if selection.texts else None,
            out=stage_table.TEXTS.path(self.folder),
        )

    def filter_labels(
        self, pseudo_labels: Manifest, texts: Manifest, labeler: BoundRecognizer
    ) -> Manifest:
        """Keep the pseudo-labels that can be trusted, and human speech that is not held out.

        Labels are rescored by the decoder that made them and aligned first, if the plan wants it.
        """
        plan = self.plan
        if plan.rescore:
            pseudo_labels = self.run_stage(rescore)(
                options=plan.rescore,
                labels=pseudo_labels,
                texts=texts,
                labeler=labeler,
                key_terms=plan.terms,
                cluster=self.cluster,
                out=stage_table.RESCORED.path(self.folder),
            )
        # Filters of a voice read the same labels later, so their word times are made here too.
        voice_filters = [filter_ for voice in plan.voices for filter_ in voice.filters]
        return self.run_stage(filter_utterances)(
            filters=self.pseudo_filters,
            speech=self.align(
                pseudo_labels,
                filters=[*self.pseudo_filters, *voice_filters],
                out=stage_table.ALIGNED.path(self.folder),
                # Engines that only decode cannot align either.
                model=self.teacher if self.teacher.recognizer.trainable else self.champion,
            ),
            human=self.align(
                self.inputs.human, filters=(), out=stage_table.ALIGNED_HUMAN.path(self.folder)
            ),
            held_out=self.inputs.held_out,
            context=self.filter_context(
                self.pseudo_filters, self.run_folder.last_labels, labels_of_teacher=True
            ),
            normalizer=plan.normalizer,
            cluster=self.cluster,
            out=stage_table.FILTERED_LABELS.path(self.folder),
        )

    def mix(self, filtered_labels: Manifest, others: Sequence[Manifest]) -> Manifest:
        """Draw the training data by hours and weights; replayed speech guards what was known."""
        replay = self.align(
            self.inputs.replay, filters=(), out=stage_table.ALIGNED_REPLAY.path(self.folder)
        )
        if len(replay):
            replay = self.run_stage(filter_transcribed)(
                replay,
                self.inputs.held_out,
                self.plan.normalizer,
                out=stage_table.FILTERED_REPLAY.path(self.folder),
            )
        # What a scan or a filter rejected may have been said between two labels that are left.
        folders = [stage_table.POOL.path(self.folder), filtered_labels.folder, replay.folder]
        left_out = [Manifest(folder / REJECTED) for folder in folders]
        return self.run_stage(mix)(
            options=self.plan.mix,
            sources=[filtered_labels, *others],
            seed=self.seed,
            replay=replay,
            left_out=[manifest for manifest in left_out if manifest.path.is_file()],
            out=stage_table.MIXTURE.path(self.folder),
        )

    def pack_and_augment(
        self, mixture: Manifest, start: Checkpoint
    ) -> tuple[Manifest, Augmentation | None]:
        """Join utterances to at most 30 s and apply effects, as far as the plan wants it.

        Returns:
            The training set, and the augmentation that is left to be drawn whenever training reads
            an utterance; None if there is none, or if it was written to disk here.
        """
        plan, training_set = self.plan, mixture
        if plan.pack:
            training_set = self.run_stage(pack)(
                options=plan.pack,
                mixture=mixture,
                asr=plan.asr,
                start=start,
                seed=self.seed,
                out=stage_table.PACKED.path(self.folder),
            )
        if plan.augment is None or plan.augment.when == "reading":
            return training_set, plan.augment
        training_set = self.run_stage(augment)(
            augmentation=plan.augment,
            mixture=training_set,
            seed=self.seed,
            out=stage_table.AUGMENTED.path(self.folder),
        )
        return training_set, None

    def align(
        self,
        speech: Manifest,
        filters: Sequence[Filter],
        out: Path,
        model: BoundRecognizer | None = None,
    ) -> Manifest:
        """Add word times, if one of these filters or packing needs them; else return `speech`.

        Args:
            speech: Utterances with texts.
            filters: Filters that will read it.
            out: Folder of the aligned speech.
            model: What aligns; the champion by default.
        """
        model = model or self.champion
        packing = self.plan.pack
        needed = any(filter_.needs_word_times for filter_ in filters)
        if not (needed or (packing and packing.needs_word_times)) or not len(speech):
            return speech
        return self.run_stage(align)(
            recognizer=model.recognizer,
            checkpoint=model.checkpoint,
            speech=speech,
            cluster=self.cluster,
            out=out,
        )

    def filter_context(
        self,
        filters: Sequence[Filter],
        last_labels: Path | None = None,
        *,
        labels_of_teacher: bool = False,
    ) -> FilterContext | None:
        """Return the models and labels that filters consult; None if none of them needs any."""
        if not any(filter_.needs_context for filter_ in filters):
            return None
        return FilterContext(
            champion=self.champion,
            last_labels=Manifest.load(last_labels) if last_labels else None,
            labeler=self.teacher if labels_of_teacher and self.plan.teacher else None,
        )
