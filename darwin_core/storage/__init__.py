"""Object stores behind one small protocol: S3 through boto3, and plain files.

``open_store`` picks the store by the URI's scheme; everything else takes the ``ObjectStore`` protocol.
"""

from darwin_core.storage.base import BytesProgress as BytesProgress
from darwin_core.storage.base import Digest as Digest
from darwin_core.storage.base import ObjectInfo as ObjectInfo
from darwin_core.storage.base import ObjectStore as ObjectStore
from darwin_core.storage.base import StoredObject as StoredObject
from darwin_core.storage.files import atomic_file as atomic_file
from darwin_core.storage.files import file_digest as file_digest
from darwin_core.storage.opening import open_store as open_store
from darwin_core.storage.probe import probe_conditional_writes as probe_conditional_writes
from darwin_core.storage.uris import join_uri as join_uri
