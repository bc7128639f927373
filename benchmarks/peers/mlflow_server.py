"""MLflow's model server, with the network as a Python function; it has no batching."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Save the network as MLflow does, then become its server."""
    folder, kind, port = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    saved = folder / f"mlflow-{kind}"
    if not saved.exists():
        import mlflow

        mlflow.pyfunc.save_model(
            path=str(saved),
            python_model=str(HERE / "mlflow_model.py"),
            artifacts={"folder": str(_only_files(folder))},
            model_config={"kind": kind},
            code_paths=[str(HERE / "networks.py")],
            pip_requirements=["torch"],
        )
    command = ["models", "serve", "--model-uri", str(saved), "--env-manager", "local"]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "mlflow", *command, "--port", port, "--workers", "1"],
    )


def _only_files(folder: Path) -> Path:
    """Copy what the network needs, and no more: all of the folder would be saved."""
    only = folder / "mlflow-files"
    only.mkdir(exist_ok=True)
    for name in folder.glob("*.safetensors"):
        shutil.copy(name, only)
    for name in ("images.json", "words.json"):
        shutil.copy(folder / name, only)
    return only


if __name__ == "__main__":
    main()
