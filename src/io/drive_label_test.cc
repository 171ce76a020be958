// The bytes of docs/formats/drive-label.md.
#include "io/drive_label.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <numeric>

#include "base/random.h"
#include "crypto/digest.h"

namespace andromede::io {
namespace {

Bytes golden(const std::string& name) {
  std::ifstream in(std::string(ANDROMEDE_TESTDATA) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

// 16 bytes that count up from `first`.
template <typename Id>
Id counting(std::uint8_t first) {
  Bytes bytes(Id::kSize);
  std::iota(bytes.begin(), bytes.end(), first);
  return Id::from_bytes(bytes);
}

DriveInfo drive(std::uint8_t id, const std::string& name, const std::string& path) {
  DriveInfo info;
  info.id = counting<DriveId>(id);
  info.name = DriveName(name);
  info.site = SiteId("site");
  info.associate = AssociateId("associate");
  info.path = path;
  return info;
}

DriveMap two_drives() {
  DriveMap map;
  map.cloud = counting<CloudId>(1);
  map.epoch = 3;
  map.drives = {drive(1, "a", "/a"), drive(2, "b", "/b")};
  return map;
}

Bytes resealed(Bytes bytes) {
  bytes.resize(bytes.size() - 4);
  ByteWriter(bytes).u32(crypto::crc32c(0, Bytes(bytes)));
  return bytes;
}

TEST(DriveLabel, GoldenFileDecodesAndEncodesIdentically) {
  const Bytes bytes = golden("label-v1.bin");
  const auto label = decode_drive_label(bytes);
  ASSERT_TRUE(label) << label.error().describe();
  EXPECT_EQ(label->cloud, counting<CloudId>(0x10));
  EXPECT_EQ(label->drive, counting<DriveId>(0x20));
  EXPECT_EQ(encode(*label), bytes);
  EXPECT_LE(bytes.size(), kMaxLabelBytes);
}

TEST(DriveMap, GoldenFileDecodesAndEncodesIdentically) {
  const Bytes bytes = golden("map-v1.bin");
  const auto map = decode_drive_map(bytes);
  ASSERT_TRUE(map) << map.error().describe();
  EXPECT_EQ(map->cloud, counting<CloudId>(0x10));
  EXPECT_EQ(map->epoch, 7U);
  EXPECT_EQ(map->accepted_site_losses, 1);
  ASSERT_EQ(map->drives.size(), 4U);
  EXPECT_EQ(map->drives[0].name, DriveName("etat-1"));
  EXPECT_EQ(map->drives[0].site, SiteId("bruyères"));
  EXPECT_TRUE(map->drives[0].mirrors_metadata);
  EXPECT_EQ(map->drives[1].path, "drives/" + std::string(150, 'x'));
  EXPECT_EQ(map->drives[1].capacity_bytes, 1ULL << 40);
  EXPECT_EQ(map->drives[1].state, DriveState::kDraining);
  EXPECT_EQ(map->drives[2].state, DriveState::kReplaced);
  EXPECT_EQ(map->drives[3].state, DriveState::kDrained);
  EXPECT_EQ(encode(*map), bytes);
}

TEST(DriveLabel, EveryFlippedBitAndEveryCutIsFound) {
  const Bytes bytes = golden("label-v1.bin");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes bad = bytes;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_EQ(decode_drive_label(bad).error(), Errc::kCorrupt) << "bit " << bit;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_drive_label(ByteView(bytes).first(size)).error(), Errc::kCorrupt) << size;
  }
}

TEST(DriveMap, EveryFlippedBitAndEveryCutIsFound) {
  const Bytes bytes = golden("map-v1.bin");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes bad = bytes;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_EQ(decode_drive_map(bad).error(), Errc::kCorrupt) << "bit " << bit;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_drive_map(ByteView(bytes).first(size)).error(), Errc::kCorrupt) << size;
  }
}

TEST(DriveMap, HostileBytesUnderAValidChecksumAreErrorsAndNothingWorse) {
  const Bytes bytes = golden("map-v1.bin");
  SeededRandom random(5);
  for (int round = 0; round < 5000; ++round) {
    Bytes bad = bytes;
    for (std::uint64_t n = random.below(4) + 1; n > 0; --n) {
      bad[10 + random.below(bad.size() - 14)] = static_cast<std::uint8_t>(random.below(256));
    }
    bad = resealed(std::move(bad));
    const auto map = decode_drive_map(bad);
    if (map) EXPECT_EQ(encode(*map), bad) << "what decodes has one encoding only";
  }
}

TEST(DriveMap, BytesLeftOverAreCorrupt) {
  Bytes bytes = golden("map-v1.bin");
  bytes.insert(bytes.end() - 4, 0);
  EXPECT_EQ(decode_drive_map(resealed(bytes)).error(), Errc::kCorrupt);
  Bytes label = golden("label-v1.bin");
  label.insert(label.end() - 4, 0);
  EXPECT_EQ(decode_drive_label(resealed(label)).error(), Errc::kCorrupt);
}

TEST(DriveMap, ALongerFormOfALengthIsCorrupt) {
  Bytes bytes = golden("map-v1.bin");
  ASSERT_EQ(bytes[36], 4) << "the number of drives";
  bytes[36] |= 0x80;
  bytes.insert(bytes.begin() + 37, 0);
  EXPECT_EQ(decode_drive_map(resealed(bytes)).error(), Errc::kCorrupt);
}

TEST(DriveMap, AnotherVersionIsNotRead) {
  Bytes bytes = golden("map-v1.bin");
  bytes[8] = 2;
  EXPECT_EQ(decode_drive_map(resealed(bytes)).error(), Errc::kCorrupt);
}

TEST(DriveMap, RefusesWhatNoCloudCanBe) {
  EXPECT_TRUE(check_drive_map(two_drives()));
  const auto refused = [](const std::function<void(DriveMap&)>& spoil) {
    DriveMap map = two_drives();
    spoil(map);
    return check_drive_map(map).error() == Errc::kInvalidArgument &&
           decode_drive_map(encode(map)).error() == Errc::kCorrupt;
  };
  EXPECT_TRUE(refused([](DriveMap& map) { map.cloud = {}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.epoch = 0; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].id = {}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[1].id = map.drives[0].id; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[1].name = map.drives[0].name; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[1].path = map.drives[0].path; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].name = DriveName(""); }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].name = DriveName(std::string(65, 'n')); }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].path = ""; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].state = static_cast<DriveState>(0); }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].state = static_cast<DriveState>(5); }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives.resize(1025, map.drives[0]); }));
}

TEST(DriveMap, AReplacementCarriesOnTheNameAndThePath) {
  DriveMap map = two_drives();
  map.drives[0].state = DriveState::kReplaced;
  EXPECT_EQ(map.find(DriveName("a")), &map.drives[0]);
  map.drives.push_back(drive(3, "a", "/a"));
  EXPECT_TRUE(check_drive_map(map));
  EXPECT_EQ(map.find(DriveName("a")), &map.drives[2]);
  EXPECT_EQ(map.find(counting<DriveId>(1)), &map.drives[0]);
  EXPECT_EQ(map.find(DriveName("c")), nullptr);
  EXPECT_EQ(map.find(counting<DriveId>(9)), nullptr);
}

}  // namespace
}  // namespace andromede::io
