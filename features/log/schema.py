"""How a checked row is named and placed: the prefixes of its columns, and the bucket that its customer belongs to."""

import zlib

CATEGORY = "category."
NUMBER = "number."
HASHES = 2**16


def hash_of(customer: str) -> int:
    """What buckets are told apart by, `0 <= hash < HASHES`: stable, and at hand wherever the log may lie."""
    return zlib.crc32(customer.encode()) >> 16


def bucket_of(customer: str, buckets: int) -> int:
    """The bucket of a customer among `buckets` (a power of two): by the first bits, so twice as many split each."""
    return hash_of(customer) * buckets // HASHES
