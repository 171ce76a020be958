// The bytes of docs/formats/drive-label.md.
#include "io/drive_label.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <numeric>

#include "base/random.h"
#include "crypto/digest.h"
#include "io/drive_lineage.h"

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

// The golden files' key: 00 01 … 1f.
const DriveSeal& seal() {
  static const DriveSeal made = [] {
    Bytes key(crypto::SecretKey::kSize);
    std::iota(key.begin(), key.end(), std::uint8_t{0});
    return DriveSeal(*crypto::SecretKey::from_bytes(key));
  }();
  return made;
}

// With the checksum made right again, as who has no key can.
Bytes rechecked(Bytes bytes) {
  bytes.resize(bytes.size() - 4);
  ByteWriter(bytes).u32(crypto::crc32c(0, Bytes(bytes)));
  return bytes;
}

constexpr std::size_t kHeadBytes = 10;

Bytes body_of(const Bytes& file) {
  return to_bytes(ByteView(file).subspan(kHeadBytes, file.size() - kHeadBytes - kSealBytes));
}

TEST(DriveLabel, GoldenFileDecodesAndEncodesIdentically) {
  const Bytes bytes = golden("label-v2.bin");
  const auto label = decode_drive_label(bytes, seal());
  ASSERT_TRUE(label) << label.error().describe();
  EXPECT_EQ(label->cloud, counting<CloudId>(0x10));
  EXPECT_EQ(label->drive, counting<DriveId>(0x20));
  EXPECT_EQ(encode(*label, seal()), bytes);
  EXPECT_LE(bytes.size(), kMaxLabelBytes);
}

TEST(DriveMap, GoldenFileDecodesAndEncodesIdentically) {
  const Bytes bytes = golden("map-v2.bin");
  const auto map = decode_drive_map(bytes, seal());
  ASSERT_TRUE(map) << map.error().describe();
  EXPECT_EQ(map->cloud, counting<CloudId>(0x10));
  EXPECT_EQ(map->epoch, 9U);
  EXPECT_EQ(map->minimum, (Minimum{2, 2}));
  EXPECT_EQ(map->minimum_before, (Minimum{2, 1}));
  ASSERT_EQ(map->forebears.size(), 3U);
  EXPECT_EQ(map->forebears[0].epoch, 6U);
  EXPECT_EQ(map->forebears[1].kind, ForebearKind::kDecided);
  EXPECT_EQ(map->forebears[2].kind, ForebearKind::kAbandoned);
  EXPECT_EQ(map->forebears[2].hash[31], 0xa8);
  EXPECT_EQ(parent_of(*map), &map->forebears[1]) << "what was abandoned is nobody's parent";
  ASSERT_EQ(map->overruled.size(), 1U);
  EXPECT_EQ(map->overruled[0][0], 0xb5);
  ASSERT_EQ(map->decisions.size(), 1U);
  EXPECT_EQ(map->decisions[0].epoch, 7U);
  EXPECT_EQ(map->decisions[0].at.ms, 1'800'000'000'123);
  EXPECT_EQ(map->decisions[0].unix_user, "opératrice");
  EXPECT_EQ(map->decisions[0].without, std::vector<DriveId>{counting<DriveId>(0x30)});
  EXPECT_EQ(map->accepted_site_losses, 1);
  ASSERT_EQ(map->drives.size(), 4U);
  EXPECT_EQ(map->drives[0].name, DriveName("etat-1"));
  EXPECT_EQ(map->drives[0].site, SiteId("bruyères"));
  EXPECT_TRUE(map->drives[0].mirrors_metadata && map->drives[0].was_present && map->drives[0].was_mirror);
  EXPECT_EQ(map->drives[0].absent_since, 0U);
  EXPECT_TRUE(map->drives[1].left_behind);
  EXPECT_EQ(map->drives[1].absent_since, 7U);
  EXPECT_FALSE(map->drives[1].mirrors_metadata || map->drives[1].was_present);
  EXPECT_EQ(map->drives[1].path, "drives/" + std::string(150, 'x'));
  EXPECT_EQ(map->drives[1].capacity_bytes, 1ULL << 40);
  EXPECT_EQ(map->drives[1].state, DriveState::kDraining);
  EXPECT_EQ(map->drives[2].state, DriveState::kReplaced);
  EXPECT_EQ(map->drives[3].state, DriveState::kDrained);
  EXPECT_EQ(encode(*map, seal()), bytes);
}

TEST(DriveLabel, EveryFlippedBitAndEveryCutIsFound) {
  const Bytes bytes = golden("label-v2.bin");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes bad = bytes;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_EQ(decode_drive_label(bad, seal()).error(), Errc::kCorrupt) << "bit " << bit;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_drive_label(ByteView(bytes).first(size), seal()).error(), Errc::kCorrupt) << size;
  }
}

TEST(DriveMap, EveryFlippedBitAndEveryCutIsFound) {
  const Bytes bytes = golden("map-v2.bin");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes bad = bytes;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_EQ(decode_drive_map(bad, seal()).error(), Errc::kCorrupt) << "bit " << bit;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_drive_map(ByteView(bytes).first(size), seal()).error(), Errc::kCorrupt) << size;
  }
}

// Whoever has no key can make a checksum right, and nothing else.
TEST(DriveSeal, ARightChecksumOverOtherBytesIsAForgery) {
  for (const char* name : {"label-v2.bin", "map-v2.bin"}) {
    const Bytes bytes = golden(name);
    const SealedKind kind = name[0] == 'l' ? SealedKind::kLabel : SealedKind::kMap;
    for (std::size_t i = kHeadBytes; i < bytes.size() - 4; ++i) {
      Bytes bad = bytes;
      bad[i] ^= 1;
      EXPECT_EQ(seal().open(kind, rechecked(bad)).error(), Errc::kRefused) << name << " byte " << i;
    }
    Bytes shorter(bytes.begin(), bytes.end() - 9);
    EXPECT_EQ(seal().open(kind, rechecked(shorter)).error(), Errc::kRefused);
    EXPECT_FALSE(seal().open(kind, rechecked(Bytes(bytes.begin(), bytes.begin() + kHeadBytes + 8))));
  }
}

TEST(DriveSeal, AnotherCloudsKeyAndAnotherKindAreNotOurs) {
  SeededRandom random(3);
  const DriveSeal other(crypto::SecretKey::random(random));
  EXPECT_EQ(decode_drive_label(golden("label-v2.bin"), other).error(), Errc::kRefused);
  EXPECT_EQ(decode_drive_map(golden("map-v2.bin"), other).error(), Errc::kRefused);
  // What is authentic as a label, renamed to a map.
  Bytes label = golden("label-v2.bin");
  std::copy_n("ANDRVMAP", 8, label.begin());
  EXPECT_EQ(decode_drive_map(rechecked(label), seal()).error(), Errc::kRefused);
  EXPECT_EQ(seal().open(SealedKind::kMap, golden("label-v2.bin")).error(), Errc::kCorrupt);
}

TEST(DriveMap, HostileFieldsUnderARightSealAreErrorsAndNothingWorse) {
  const Bytes body = body_of(golden("map-v2.bin"));
  SeededRandom random(5);
  for (int round = 0; round < 5000; ++round) {
    Bytes bad = body;
    for (std::uint64_t n = random.below(4) + 1; n > 0; --n) {
      bad[random.below(bad.size())] = static_cast<std::uint8_t>(random.below(256));
    }
    const Bytes file = seal().close(SealedKind::kMap, bad);
    const auto map = decode_drive_map(file, seal());
    if (map) EXPECT_EQ(encode(*map, seal()), file) << "what decodes has one encoding only";
  }
}

TEST(DriveMap, BytesLeftOverAreCorrupt) {
  for (const SealedKind kind : {SealedKind::kLabel, SealedKind::kMap}) {
    Bytes body = body_of(golden(kind == SealedKind::kLabel ? "label-v2.bin" : "map-v2.bin"));
    body.push_back(0);
    const Bytes file = seal().close(kind, body);
    EXPECT_EQ(decode_drive_map(file, seal()).error(), Errc::kCorrupt);
    EXPECT_EQ(decode_drive_label(file, seal()).error(), Errc::kCorrupt);
  }
}

TEST(DriveMap, ALongerFormOfALengthIsCorrupt) {
  Bytes body = body_of(golden("map-v2.bin"));
  ASSERT_EQ(body[28], 3) << "the number of forebears";
  body[28] |= 0x80;
  body.insert(body.begin() + 29, 0);
  EXPECT_EQ(decode_drive_map(seal().close(SealedKind::kMap, body), seal()).error(), Errc::kCorrupt);
}

TEST(DriveMap, AnotherVersionIsNotRead) {
  for (const std::uint8_t version : {1, 3}) {
    Bytes bytes = golden("map-v2.bin");
    bytes[8] = version;
    EXPECT_EQ(decode_drive_map(rechecked(bytes), seal()).error(), Errc::kUnsupported) << "it may be a newer program's";
    bytes = golden("label-v2.bin");
    bytes[8] = version;
    EXPECT_EQ(decode_drive_label(rechecked(bytes), seal()).error(), Errc::kUnsupported);
  }
}

TEST(DriveMap, RefusesWhatNoCloudCanBe) {
  EXPECT_TRUE(check_drive_map(two_drives()));
  const auto refused = [](const std::function<void(DriveMap&)>& spoil) {
    DriveMap map = two_drives();
    spoil(map);
    return check_drive_map(map).error() == Errc::kInvalidArgument &&
           decode_drive_map(encode(map, seal()), seal()).error() == Errc::kCorrupt;
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
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].absent_since = map.epoch + 1; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.drives[0].left_behind = true; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.minimum = {0, 0}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.minimum_before = {1, 2}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.forebears = {{2, {}, {}}, {2, {}, {}}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.forebears = {{0, {}, {}}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.forebears = {{3, {}, {}}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.forebears = {{1, {}, ForebearKind::kAbandoned}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.forebears = {{1, {}, static_cast<ForebearKind>(3)}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.overruled.resize(65); }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.decisions = {{4, {}, "o", {}}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.decisions = {{2, {}, "o", {}}, {2, {}, "o", {}}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) {
    map.epoch = 100;
    for (std::uint64_t epoch = 1; epoch <= 65; ++epoch) map.decisions.push_back({epoch, {}, "o", {}});
  }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.decisions = {{3, {}, "", {}}}; }));
  EXPECT_TRUE(refused([](DriveMap& map) { map.decisions = {{3, {}, "o", {counting<DriveId>(9)}}}; }));
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
