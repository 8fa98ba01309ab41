from __future__ import annotations

from actors.store.files.file_history import FileHistory, witnesses
from actors.store.files.manifest import Manifest, ManifestEntry


def test_only_those_bear_witness_that_had_to_do_with_the_file() -> None:
    """A folder of a thousand services that know nobody is not looked through for each of them."""
    knowing = FileHistory(folder="here", store="s", knows=frozenset({"asked"}))
    stranger = FileHistory(folder="here", store="s")
    from_elsewhere = FileHistory(folder="there", store="s", knows=frozenset({"asked"}))
    replaced = FileHistory(folder="here", store="t", knows=frozenset({"asked"}))
    histories = {
        "asked": knowing,
        "knowing": knowing,
        "stranger": stranger,
        "from_elsewhere": from_elsewhere,
        "replaced": replaced,
    }
    entry = ManifestEntry(store="s", epoch=1)
    manifest = Manifest(folder="here", stores=dict.fromkeys(histories, entry))
    assert witnesses("asked", histories, manifest) == {"knowing": knowing}
