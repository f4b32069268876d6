"""Hostile modules for a working directory, under names that this package imports."""

from pathlib import Path


def plant_hostile_modules(folder: Path) -> Path:
    """Write the modules; return the file that they write and exit with if they are imported."""
    witness = folder.resolve() / "hostile-module-was-imported"
    code = f"open({str(witness)!r}, 'a').write(__name__ + chr(10)); raise SystemExit(77)\n"
    (folder / "flows").mkdir()
    for name in ("flows/__init__", "flows/refine", "twister_loop", "prefect", "uvicorn", "httpx"):
        (folder / f"{name}.py").write_text(code)
    return witness
