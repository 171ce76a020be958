#include "meta/record.h"

#include <gtest/gtest.h>

namespace andromede::meta {
namespace {

enum class Colour : std::uint8_t { kRed, kGreen };

struct Everything {
  std::uint8_t small = 0;
  std::uint64_t large = 0;
  bool flag = false;
  std::uint32_t number = 3;
  Colour colour = Colour::kRed;
  Timestamp at{};
  std::optional<Timestamp> until{};
  std::string text{};
  Bytes bytes{};
  Bytes raw{};
  std::array<std::uint8_t, 4> array{};
  BucketId id{};
  AccountId name{};
  std::vector<std::string> list{};
  std::vector<std::uint32_t> repeated{};
  std::map<std::string, std::string> map{};
  bool operator==(const Everything&) const = default;
};

struct EverythingKind {
  using Record = Everything;
  static constexpr RecordMark kMark{'E', 2, "everything"};
  static void fields(auto& fields, auto& record) {
    fields.u8(record.small);
    fields.u64(record.large);
    fields.flag(record.flag);
    fields.number(record.number, 3, 300);
    fields.one_of(record.colour, Colour::kGreen);
    fields.time(record.at);
    fields.time(record.until);
    fields.text(record.text, 10);
    fields.bytes(record.bytes, 10);
    fields.raw(record.raw, 2);
    fields.array(record.array);
    fields.id(record.id);
    fields.name(record.name);
    fields.list(record.list, 3, [&](auto& one) { fields.text(one); });
    fields.repeat(record.repeated, 2, [&](auto& one) { fields.number(one, 0, 1'000'000); });
    fields.map(record.map);
    fields.require(record.text != "never", "text");
  }
  static Status check(const Everything& record) {
    if (record.list.empty() || record.list.front() != "x") return {};
    return fail(Errc::kInvalidArgument, "a list does not begin with x");
  }
};

Everything filled() {
  Everything record;
  record.small = 7;
  record.large = UINT64_MAX;
  record.flag = true;
  record.number = 300;
  record.colour = Colour::kGreen;
  record.at = {-5};
  record.until = Timestamp{1'700'000'000'123};
  record.text = "ten bytes!";
  record.bytes = {1, 2, 3};
  record.raw = {4, 5};
  record.array = {6, 7, 8, 9};
  record.id = BucketId::from_bytes(Bytes(16, 0xab));
  record.name = AccountId("000000000001");
  record.list = {"a", ""};
  record.repeated = {1, 1'000'000};
  record.map = {{"a", "1"}, {"b", ""}};
  return record;
}

Status read(std::string_view stored) {
  const auto record = decode<EverythingKind>(as_bytes(stored));
  return record ? Status() : fail(record.error());
}

std::string message(std::string_view stored) {
  const Status status = read(stored);
  if (status) return "read";
  EXPECT_EQ(status.error(), Errc::kCorrupt);
  return status.error().message();
}

TEST(RecordCodec, ReadsWhatItWrote) {
  for (const Everything& record : {Everything{.raw = {0, 0}, .repeated = {0, 0}}, filled()}) {
    const std::string stored = encode<EverythingKind>(record);
    EXPECT_EQ(stored[0], 'E');
    EXPECT_EQ(stored[1], 2);
    const auto again = decode<EverythingKind>(as_bytes(stored));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(*again, record);
    EXPECT_EQ(encode<EverythingKind>(*again), stored);
  }
}

TEST(RecordCodec, AnotherLetterVersionOrLengthIsCorrupt) {
  std::string stored = encode<EverythingKind>(filled());
  for (std::size_t size = 0; size < stored.size(); ++size) {
    EXPECT_EQ(message(std::string_view(stored).substr(0, size)), "everything record: it is cut short") << size;
  }
  EXPECT_EQ(message(stored + '\0'), "everything record: too long");
  stored[1] = 3;
  EXPECT_EQ(message(stored), "everything record: version 3 is not known");
  stored[0] = 'F';
  EXPECT_EQ(message(stored), "everything record: another record's letter");
}

// Changes what is right in one place, and is read no more.
template <typename Change>
std::string told(const Change& change) {
  Everything record = filled();
  change(record);
  return message(encode<EverythingKind>(record));
}

TEST(RecordCodec, WhatExceedsALimitIsCorrupt) {
  EXPECT_EQ(told([](Everything& record) { record.number = 2; }), "everything record: bad number");
  EXPECT_EQ(told([](Everything& record) { record.number = 301; }), "everything record: bad number");
  EXPECT_EQ(told([](Everything& record) { record.colour = static_cast<Colour>(2); }), "everything record: bad choice");
  EXPECT_EQ(told([](Everything& record) { record.text += "!"; }), "everything record: bad length");
  EXPECT_EQ(told([](Everything& record) { record.bytes.resize(11); }), "everything record: bad length");
  EXPECT_EQ(told([](Everything& record) { record.list = {"1", "2", "3", "4"}; }), "everything record: bad count");
  EXPECT_EQ(told([](Everything& record) { record.text = "never"; }), "everything record: bad text");
  EXPECT_EQ(told([](Everything& record) { record.list = {"x"}; }), "everything record: a list does not begin with x");
}

TEST(RecordCodec, ARecordHasOneEncoding) {
  const std::string stored = encode<EverythingKind>(filled());
  // The number 300 as three bytes, the text's length as two.
  const std::size_t number = kMarkBytes + 1 + 8 + 1;
  std::string longer = stored;
  longer[number + 1] = static_cast<char>(longer[number + 1] | 0x80);
  longer.insert(number + 2, 1, '\0');
  EXPECT_EQ(message(longer), "everything record: bad length");
  const std::size_t text = stored.find("ten bytes!");
  longer = stored;
  longer[text - 1] = static_cast<char>(longer[text - 1] | 0x80);
  longer.insert(text, 1, '\0');
  EXPECT_EQ(message(longer), "everything record: bad length");
  std::string flag = stored;
  flag[kMarkBytes + 1 + 8] = 2;
  EXPECT_EQ(message(flag), "everything record: bad flag");
  std::string order = stored;
  order[order.rfind('b')] = 'a';
  EXPECT_EQ(message(order), "everything record: bad order");
}

// No matter what lengths it claims.
TEST(RecordCodec, ArbitraryBytesAreReadOrCorruptAndTakeNoMoreMemoryThanTheyAre) {
  SeededRandom random(1);
  const std::string stored = encode<EverythingKind>(filled());
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = stored;
    for (std::uint64_t j = random.below(4); j < 4; ++j) {
      changed[kMarkBytes + random.below(changed.size() - kMarkBytes)] = static_cast<char>(random.below(256));
    }
    const auto record = decode<EverythingKind>(as_bytes(changed));
    if (record) {
      EXPECT_EQ(encode<EverythingKind>(*record), changed);
    }
  }
}

}  // namespace
}  // namespace andromede::meta
