"""What a drive does that lies: its bytes are changed, and whatever checksum anybody can compute with them."""

import struct

BLOCK, HEADER, PAGE = 65536, 256, 4096


def crc32c(*parts):
    crc = 0xFFFFFFFF
    for part in parts:
        for byte in part:
            crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def crc_entry(byte):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [crc_entry(byte) for byte in range(256)]


def forged_map(true_map, epoch):
    """Claims another epoch; its authentication nobody without the cloud's key can make (docs/formats/drive-label.md)."""
    data = bytearray(true_map)
    struct.pack_into("<Q", data, 26, epoch)
    struct.pack_into("<I", data, len(data) - 4, crc32c(data[:-4]))
    return bytes(data)


def epoch_of(true_map):
    return struct.unpack_from("<Q", true_map, 26)[0]


def finished_shards(volume):
    """(offset, shard) of each finished record of one stripe, not empty, in a volume (docs/formats/volume.md)."""
    found = []
    with open(volume, "rb") as file:
        end = file.seek(0, 2)
        offset = 0
        while offset + 2 * HEADER <= end:
            file.seek(offset)
            head = file.read(2 * HEADER)
            step = PAGE
            if head[:8] == b"ANDVREC\n" and struct.unpack_from("<Q", head, 40)[0] == offset:
                step = max(PAGE, struct.unpack_from("<Q", head, 48)[0])
                size, = struct.unpack_from("<Q", head, HEADER + 32)
                if head[HEADER:HEADER + 8] == b"ANDVSEAL" and 0 < size <= head[11] * BLOCK:
                    found.append((offset, head[10]))
            offset += step
    return found


def forge_shard(volume, offset, at=1000):
    """Changes the byte `at` of the one block of the record at `offset`, and every checksum above it. Nothing when a server that
    runs has given the record's space back meanwhile."""
    with open(volume, "r+b") as file:
        file.seek(offset)
        head = bytearray(file.read(2 * HEADER))
        if head[:8] != b"ANDVREC\n":
            return
        shard, data = head[10], head[11]
        size, = struct.unpack_from("<Q", head, HEADER + 32)
        block_bytes = size if data == 1 else -(-(-(-size // data)) // 64) * 64
        block = bytearray(file.read(block_bytes))
        block[at % block_bytes] ^= 1
        checksum = struct.pack("<I", crc32c(head[16:32], bytes([shard, 0, 0, 0]), struct.pack("<I", 0), block))
        struct.pack_into("<I", head, HEADER + 48, crc32c(checksum))
        struct.pack_into("<I", head, HEADER + 252, crc32c(head[HEADER:HEADER + 252]))
        file.seek(offset)
        file.write(head + block + checksum)
