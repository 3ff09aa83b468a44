"""The image: small, without rights, without an installer, and able to do the whole job on a read-only root."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import tiny

from darwin_core import __version__
from darwin_core.contracts import ExportReport, SearchRecord

ROOT = Path(__file__).parents[2]
IMAGE = f"darwin-mlops:{__version__}"
MOST_BYTES = 1_800_000_000
SHUT_OFF = ("--network", "none", "--read-only", "--tmpfs", "/tmp:mode=1777")


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return dict(match.groups() for line in lines if (match := re.match(r"([a-z0-9.-]+)==([^ ;]+)", line)))


@pytest.mark.parametrize("name", ["image-cpu.txt", "image-gpu.txt"])
def test_the_images_pins_are_the_engines(name: str) -> None:
    engine, image = pins("engine.txt"), pins(name)
    assert {package: version for package, version in image.items() if engine.get(package, version) != version} == {}
    own = {package for package in image if package not in engine}
    assert own == {"tensorflow-cpu"} if name == "image-cpu.txt" else all(item.startswith("nvidia-") for item in own)


def test_the_image_names_no_registry_and_no_version_of_its_own() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert not re.search(r"\b[a-z0-9-]+\.(io|com|org|dev)/", text.replace("org.opencontainers.image", ""))
    assert "USER 1001:0" in text
    assert "--require-hashes" in text


def test_libraries_without_symbols_are_smaller_and_load(tmp_path: Path) -> None:
    found = importlib.util.find_spec("zstandard")
    assert found is not None and found.origin is not None
    package = tmp_path / "zstandard"
    shutil.copytree(Path(found.origin).parent, package)
    library = max(package.glob("*.so"), key=lambda path: path.stat().st_size)
    text = package / "linker_script.so"
    text.write_text("INPUT(libelsewhere.so)")
    before, others = library.read_bytes(), {path: path.read_bytes() for path in package.glob("*.py")}
    strip = [sys.executable, str(ROOT / "image" / "strip_symbols.py"), str(tmp_path)]
    subprocess.run(strip, check=True)
    after = library.read_bytes()
    assert len(after) < len(before) / 2
    assert (text.read_text(), {path: path.read_bytes() for path in others}) == ("INPUT(libelsewhere.so)", others)
    script = (
        "import zstandard as z; print(z.__file__, z.backend, z.decompress(z.compress(b'darwin' * 99))[:6].decode())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert told.split() == [str(package / "__init__.py"), "cext", "darwin"]
    subprocess.run(strip, check=True)
    assert library.read_bytes() == after, "there is nothing left to take out"


@pytest.mark.container
class TestImage:
    """One build for all of these."""

    @pytest.fixture(autouse=True)
    def _engine(self, container_engine: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in container_engine.items():
            monkeypatch.setenv(name, value)

    def run(self, *command: str, options: tuple[str, ...] = ()) -> str:
        full = ["podman", "run", "--rm", *SHUT_OFF, *options]
        done = subprocess.run([*full, IMAGE, *command], capture_output=True, text=True, timeout=1500)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_it_is_tagged_with_the_version_and_not_too_large(self) -> None:
        text = subprocess.run(["podman", "image", "inspect", IMAGE], check=True, capture_output=True, text=True).stdout
        (about,) = json.loads(text)
        assert about["Labels"]["org.opencontainers.image.version"] == __version__
        assert about["Config"]["User"] == "1001:0"
        assert about["Size"] < MOST_BYTES
        assert self.run("darwin", "--version").strip() == __version__

    def test_it_runs_without_rights_and_holds_no_installer(self) -> None:
        script = (
            "import importlib.util as u, os, shutil; print(os.getuid(), "
            "[n for n in ('pip', 'ensurepip', 'uv') if u.find_spec(n)], "
            "[n for n in ('pip', 'pip3', 'uv') if shutil.which(n)])"
        )
        assert self.run("python", "-c", script).strip() == "1001 [] []"

    def test_its_bill_of_materials_lists_what_is_installed(self) -> None:
        bill = json.loads(self.run("cat", "/opt/darwin/share/sbom/darwin.cdx.json"))
        assert bill["bomFormat"] == "CycloneDX"
        listed = {item["name"].lower().replace("_", "-"): item["version"] for item in bill["components"]}
        for package, version in pins("image-cpu.txt").items():
            assert listed.get(package.replace(".", "-"), listed.get(package)) == version, package
        script = "import importlib.metadata as m; print(len(list(m.distributions())))"
        assert len(listed) == int(self.run("python", "-c", script)) - 1  # Darwin itself is what the bill is of

    def test_it_writes_what_phones_run(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        rows = tiny.write_table(tmp_path / "train.parquet", rows=400, seed=1)
        network = tiny.write_table_network(tmp_path / "reference.keras", rows, epochs=1, units=8)
        formats = [part for item in ("litert-int8", "litert-float16") for part in ("--format", item)]
        told = self.run(
            *("darwin", "export", str(network), *formats, "-o", str(tmp_path / "out"), "--train", str(rows)),
            *("--label", "is_fraud", "--exclude", "row_id", "--json"),
            options=("--volume", f"{tmp_path}:{tmp_path}"),
        )
        report = ExportReport.from_json(told)
        assert [record.problem for record in report.exports] == [None, None]
        for record in report.exports:
            assert record.file is not None
            assert (tmp_path / "out" / record.file).stat().st_size == record.file_bytes

    def test_a_stopped_search_ends_with_143_and_goes_on_where_it_was(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        rows = tiny.write_table(tmp_path / "train.parquet", rows=2000, seed=1)
        network = tiny.write_table_network(tmp_path / "reference.keras", rows, epochs=1, units=64)
        config = {
            "line": f"{tmp_path}/line", "reference": str(network), "train": str(rows), "test": str(rows),
            "roles": {"label": "is_fraud", "row_id": "row_id"},
            "budget": {"generations": 3, "offspring": 3, "generation_samples": 40_000, "final_samples": 400_000},
        }  # fmt: skip
        arguments = ["--config", json.dumps(config), "--run-id", "night-1"]
        work = ("--volume", f"{tmp_path}:{tmp_path}", "--env", f"DARWIN_WORK_DIR={tmp_path}/work")
        self.run("darwin", "run-step", "fetch-data", *arguments, options=work)
        executor = {
            "inputs": {"parameterValues": {"config": json.dumps(config), "run_id": "night-1"}},
            "outputs": {"artifacts": {}, "parameters": {}, "outputFile": f"{tmp_path}/out/executor_output.json"},
        }
        command = ["python", "-m", "darwin_components.launcher", "synthesize", "--executor-input", json.dumps(executor)]
        options = ["--name", "darwin-stopped", "--replace", *SHUT_OFF, *work]
        process = subprocess.Popen(
            ["podman", "run", *options, IMAGE, *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        try:
            journal = wait_for_networks(tmp_path / "work", count=2)
            subprocess.run(["podman", "stop", "--time", "60", "darwin-stopped"], check=True, capture_output=True)
            assert process.wait(timeout=120) == 128 + signal.SIGTERM
        finally:
            process.kill()
            process.communicate()
            subprocess.run(["podman", "rm", "--force", "darwin-stopped"], capture_output=True)
        raised = raised_networks(journal)
        assert not list((tmp_path / "line").rglob("synthesize/result.json"))
        self.run(*command, options=work)
        (record,) = (tmp_path / "line").rglob("synthesize/search_record.json")
        found = {item.candidate_id: item.seconds for item in SearchRecord.from_json(record.read_text()).candidates}
        # Nobody trains for exactly the same time twice, so these were not trained again.
        assert any(found[candidate] == seconds for candidate, seconds in raised.items()), (found, raised)


def raised_networks(journal: Path) -> dict[str, float]:
    """Candidate -> seconds of its first training, as far as the journal of a search got."""
    entries = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
    done = {item["key"]: item["entry"] for item in entries}
    return {
        key.removesuffix("-1"): item["seconds"]
        for key, item in done.items()
        if key.endswith("-1") and "seconds" in item
    }


def wait_for_networks(folder: Path, count: int) -> Path:
    """The journal of the search that works below ``folder``, once it has raised so many networks."""
    end = time.monotonic() + 900
    while time.monotonic() < end:
        for path in folder.rglob("journal.jsonl"):
            if len(raised_networks(path)) >= count:
                return path
        time.sleep(0.2)
    raise AssertionError("the search does not get anywhere")
