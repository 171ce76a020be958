// Forges a shard as whoever writes the drive can: other bytes, with right checksums. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "blob/volumes/record.h"
#include "crypto/digest.h"

namespace andromede::blob {

// `record` holds the shard's record, used_bytes() of it. Changes a byte of each of its blocks.
inline void forge(Bytes& record, const ShardedBlob& ref, unsigned shard) {
  const RecordLayout layout(ref.code, ref.size_bytes);
  std::uint32_t blocks_checksum = 0;
  for (std::uint64_t group = 0; group < layout.groups(); ++group) {
    Bytes checksums;
    for (std::uint64_t i = 0; i < layout.group_blocks(group); ++i) {
      const std::uint64_t block = group * kGroupBlocks + i;
      const std::size_t at = layout.block_offset(block);
      record[at + layout.block_bytes(block) / 2] ^= 0x20;
      const ByteView bytes = ByteView(record).subspan(at, layout.block_bytes(block));
      ByteWriter(checksums).u32(block_checksum(ref.id, shard, block, bytes));
    }
    std::copy(checksums.begin(), checksums.end(),
              record.begin() + static_cast<std::ptrdiff_t>(layout.checksums_offset(group)));
    blocks_checksum = crypto::crc32c(blocks_checksum, checksums);
  }
  auto seal = *decode_seal(ByteView(record).subspan(kHeaderBytes, kSealBytes));
  seal.blocks_checksum = blocks_checksum;
  const auto encoded = encode(seal);
  std::copy(encoded.begin(), encoded.end(), record.begin() + kHeaderBytes);
}

// The same of a shard that lies on a drive that is a folder.
inline void forge(const std::string& drive_path, const ShardedBlob& ref, unsigned shard) {
  const ShardPlace& place = ref.shards[shard];
  std::string number = std::to_string(place.volume);
  if (number.size() < 8) number.insert(0, 8 - number.size(), '0');
  std::fstream file(drive_path + "/volumes/" + number + ".vol", std::ios::in | std::ios::out | std::ios::binary);
  Bytes record(RecordLayout(ref.code, ref.size_bytes).used_bytes());
  file.seekg(static_cast<std::streamoff>(place.offset));
  file.read(reinterpret_cast<char*>(record.data()), static_cast<std::streamsize>(record.size()));
  forge(record, ref, shard);
  file.seekp(static_cast<std::streamoff>(place.offset));
  file.write(reinterpret_cast<const char*>(record.data()), static_cast<std::streamsize>(record.size()));
  EXPECT_TRUE(file.flush());
}

}  // namespace andromede::blob
