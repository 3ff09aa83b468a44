"""fetch-data: copy the reference network and the data into an immutable snapshot, and seal the hold-out.

A run that goes on from a point of an earlier run's front has that run's snapshot: nothing is copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    DataSource,
    FetchDataRequest,
    NetworkInput,
    OutputKind,
    Pick,
    Snapshot,
    SplitPart,
    SplitProfile,
)
from darwin_core.data.downloads import Download, download_object, download_source
from darwin_core.data.parts import Part
from darwin_core.data.snapshots import PreparedSnapshot, SourceSet, content_digest, prepare_snapshot
from darwin_core.data.sources import open_source
from darwin_core.errors import IntegrityError, ObjectNotFoundError, PreconditionFailedError
from darwin_core.networks import load_network, network_inputs, output_kind
from darwin_core.steps.context import SEALED, StepContext
from darwin_core.steps.stored_runs import find_point, read_search
from darwin_core.storage import file_digest, join_uri, open_store

_SEEN_BY_REFERENCE = (
    "The validation rows were carved out of the training rows, which the reference was presumably fitted to. There it "
    "looks better than on new rows, so the search tends to choose a larger network than needed. Name validation rows "
    "that the reference was not fitted to, where there are some."
)

_PLACES = {
    "train.parquet": "train.parquet",
    "validation.parquet": "validation.parquet",
    "test.parquet": f"{SEALED}/test.parquet",
    "train_fingerprints.parquet": "train_fingerprints.parquet",
    "test_fingerprints.parquet": "test_fingerprints.parquet",
}
"""Local file -> place below the snapshot's prefix."""


def run(request: FetchDataRequest, context: StepContext) -> dict[str, Any]:
    """Take the snapshot, or find that an identical one exists already.

    Raises:
        DataError: A row, column or file cannot be used; nothing is written to the store.
        BindingError: The columns do not fit the network's inputs.
        NetworkError: The reference cannot be loaded safely.
        RequestError: There is no such point to go on from.
    """
    if request.pick is not None:
        return _of_earlier_run(request.pick, context)
    reference = _download_reference(request, context)
    network = _inspect(reference.file.path)
    downloads = _download_sources(request, context)
    digests = {str(source): sorted(item.sha256 for item in items) for source, items in downloads.items()}
    folder = context.workdir / f"prepared-{_digest(repr((reference.sha256, sorted(digests.items()))))[:20]}"
    folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare_snapshot(
        _open_sources(request, downloads), request.roles, request.split, network, folder, context.reporter
    )
    snapshot, ref = _store(request, context, prepared, reference, downloads)
    return {
        "snapshot": ref,
        "reference": snapshot.reference,
        "train_rows": snapshot.train.rows,
        "validation_rows": snapshot.validation.rows,
        "test_rows": snapshot.test.rows,
    }


def _of_earlier_run(pick: Pick, context: StepContext) -> dict[str, Any]:
    search = read_search(context.store, context.line, pick.run_id)
    find_point(search.record, pick)
    context.read_document(search.fetched.snapshot, Snapshot)  # it may have been removed since
    context.reporter.message(f"Going on from {pick.candidate_id} of run {pick.run_id}, with that run's snapshot")
    taken = ("snapshot", "reference", "train_rows", "validation_rows", "test_rows")
    return {name: getattr(search.fetched, name) for name in taken} | {"picked_from": search.synthesized}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _download_reference(request: FetchDataRequest, context: StepContext) -> Download:
    store = open_store(request.reference, request.storage)
    info = store.stat(request.reference)
    if info is None:
        raise ObjectNotFoundError(f"No reference network lies at {request.reference}.", hint="Check the URI.")
    return download_object(info, store, context.workdir / "downloads")


def _inspect(path: Path) -> tuple[tuple[NetworkInput, ...], OutputKind]:
    model = load_network(path)
    return network_inputs(model), output_kind(model, path)


def _sources(request: FetchDataRequest) -> dict[str, DataSource]:
    named = {"train": request.train, "validation": request.validation, "test": request.test}
    return {part: source for part, source in named.items() if source is not None}


def _download_sources(request: FetchDataRequest, context: StepContext) -> dict[str, list[Download]]:
    """URI -> its files. Sources that only differ in their conditions share them."""
    found: dict[str, list[Download]] = {}
    for source in _sources(request).values():
        if source.uri not in found:
            store = open_store(source.uri, request.storage)
            found[source.uri] = download_source(source, store, context.workdir / "downloads", context.reporter)
    return found


def _open_sources(request: FetchDataRequest, downloads: Mapping[str, list[Download]]) -> SourceSet:
    return SourceSet(
        **{
            part: open_source(source, [item.file for item in downloads[source.uri]])
            for part, source in _sources(request).items()
        }
    )


def _store(
    request: FetchDataRequest,
    context: StepContext,
    prepared: PreparedSnapshot,
    reference: Download,
    downloads: Mapping[str, list[Download]],
) -> tuple[Snapshot, ArtifactRef]:
    """Upload everything; ``snapshot.json`` comes last and makes the snapshot whole."""
    files = {name: prepared.folder / name for name in _PLACES}
    sources = {item.file.name: item.sha256 for items in downloads.values() for item in items}
    digests = {name: file_digest(path).sha256 for name, path in files.items()}
    digests |= {f"source {position}": sha for position, sha in enumerate(sorted(sources.values()))}
    digests["reference"] = reference.sha256
    name = content_digest(prepared, request.split, digests)[:12]
    prefix = join_uri(context.line, "snapshots", name)
    with context.reporter.track("Storing the snapshot", len(files) + 4) as tracker:

        def put(path: Path, place: str, kind: ArtifactKind) -> ArtifactRef:
            tracker.advance(1, place)
            return _put(context, path, join_uri(prefix, place), kind)

        reference_ref = put(reference.file.path, "reference.keras", ArtifactKind.NETWORK)
        refs = {name: put(path, _PLACES[name], ArtifactKind.DATA) for name, path in files.items()}
        profiles = {}
        for side, columns in prepared.written.profiles.items():
            rows = sum(
                count for part, count in prepared.written.rows.items() if (part is Part.TEST) == (side == "test")
            )
            profile = SplitProfile(rows=rows, columns=columns, fingerprints=refs[f"{side}_fingerprints.parquet"])
            path = prepared.folder / f"{side}_profile.json"
            path.write_text(profile.to_json())
            profiles[side] = put(path, path.name, ArtifactKind.OTHER)
        snapshot = Snapshot(
            roles=prepared.plan.roles,
            mask=prepared.plan.output.positions,
            split=request.split,
            columns=prepared.written.columns,
            classes=prepared.classes,
            reference=reference_ref,
            **{
                part.name.lower(): SplitPart(
                    data=refs[part.file],
                    rows=prepared.written.rows[part],
                    label_counts=prepared.written.label_counts[part],
                )
                for part in Part
            },
            train_profile=profiles["train"],
            test_profile=profiles["test"],
            sources=sources,
            split_rule=prepared.split_rule,
            notes=prepared.notes if request.validation else (*prepared.notes, _SEEN_BY_REFERENCE),
        )
        return _put_snapshot(context, snapshot, join_uri(prefix, "snapshot.json"))


def _put(context: StepContext, path: Path, uri: str, kind: ArtifactKind) -> ArtifactRef:
    """Upload a file whose place is named by its contents; one that is there already is the same."""
    digest = file_digest(path)
    try:
        context.store.upload(path, uri, if_absent=True)
    except PreconditionFailedError:
        found = context.store.stat(uri)
        if found is None or found.size_bytes != digest.size_bytes:
            raise IntegrityError(
                f"{uri} exists with other contents than its name says.",
                hint="Remove the snapshot's prefix and run the step again.",
            ) from None
    return ArtifactRef(uri=uri, sha256=digest.sha256, size_bytes=digest.size_bytes, kind=kind)


def _put_snapshot(context: StepContext, snapshot: Snapshot, uri: str) -> tuple[Snapshot, ArtifactRef]:
    data = snapshot.to_json().encode()
    try:
        context.store.write(uri, data, if_absent=True)
    except PreconditionFailedError:
        data = context.store.read(uri).data
        snapshot = Snapshot.from_json(data, origin=uri)
        context.reporter.message(f"The same snapshot exists already: {uri}")
    sha256 = hashlib.sha256(data).hexdigest()
    return snapshot, ArtifactRef(uri=uri, sha256=sha256, size_bytes=len(data), kind=ArtifactKind.SNAPSHOT)
