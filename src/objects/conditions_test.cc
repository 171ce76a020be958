#include "objects/conditions.h"

#include <gtest/gtest.h>

namespace andromede::objects {
namespace {

constexpr std::int64_t kModifiedMs = 1'700'000'000'400;
const std::string kEtag = "00112233445566778899aabbccddeeff";

ObjectHead head() {
  ObjectHead head;
  head.size_bytes = 7;
  head.modified = {kModifiedMs};
  const Bytes md5 = *from_hex(kEtag);
  std::copy(md5.begin(), md5.end(), head.md5.begin());
  return head;
}

TEST(EtagListed, TakesEveryFormThatClientsSend) {
  EXPECT_TRUE(etag_listed("*", "abc"));
  EXPECT_TRUE(etag_listed("abc", "abc"));
  EXPECT_TRUE(etag_listed("\"abc\"", "abc"));
  EXPECT_TRUE(etag_listed("W/\"abc\"", "abc"));
  EXPECT_TRUE(etag_listed("\"x\", \"abc\" ,y", "abc"));
  EXPECT_FALSE(etag_listed("", "abc"));
  EXPECT_FALSE(etag_listed("\"abcd\", ab", "abc"));
  EXPECT_FALSE(etag_listed("\"", "abc"));
}

TEST(CheckRead, FollowsThePrecedenceOfRfc9110) {
  const Timestamp before{kModifiedMs - 2000};
  const Timestamp same_second{kModifiedMs - 400};
  Conditions c;
  c.if_match = kEtag;
  c.if_unmodified_since = before;  // not looked at beside If-Match
  EXPECT_TRUE(check_read(c, head()));
  c.if_match = "other";
  EXPECT_EQ(check_read(c, head()).error().code(), ObjectErrc::kPreconditionFailed);

  c = {};
  c.if_unmodified_since = before;
  EXPECT_EQ(check_read(c, head()).error().code(), ObjectErrc::kPreconditionFailed);
  c.if_unmodified_since = same_second;
  EXPECT_TRUE(check_read(c, head()));

  c = {};
  c.if_none_match = "\"other\"";
  c.if_modified_since = same_second;  // not looked at beside If-None-Match
  EXPECT_TRUE(check_read(c, head()));
  c.if_none_match = kEtag;
  EXPECT_EQ(check_read(c, head()).error().code(), ObjectErrc::kNotModified);
  EXPECT_EQ(check_copy_source(c, head()).error().code(), ObjectErrc::kPreconditionFailed);

  c = {};
  c.if_modified_since = same_second;
  EXPECT_EQ(check_read(c, head()).error().code(), ObjectErrc::kNotModified);
  c.if_modified_since = before;
  EXPECT_TRUE(check_read(c, head()));
}

TEST(RangeCounts, ForTheSameEtagOrExactlyTheSameTime) {
  EXPECT_TRUE(range_counts({"\"" + std::string(kEtag) + "\"", {}}, head()));
  EXPECT_TRUE(range_counts({"", Timestamp{kModifiedMs - kModifiedMs % 1000}}, head()));
  EXPECT_FALSE(range_counts({"W/\"" + std::string(kEtag) + "\"", {}}, head()));
  EXPECT_FALSE(range_counts({"*", {}}, head()));
  EXPECT_FALSE(range_counts({"\"" + std::string(kEtag) + "\", \"other\"", {}}, head()));
  EXPECT_FALSE(range_counts({"", Timestamp{kModifiedMs + 1000}}, head()));
  EXPECT_FALSE(range_counts({"", Timestamp{kModifiedMs - 1000}}, head()));
}

TEST(CheckWrite, TellsAbsentFromDifferent) {
  const ObjectHead there = head();
  Conditions c;
  EXPECT_TRUE(check_write(c, nullptr));
  c.if_match = "*";
  EXPECT_EQ(check_write(c, nullptr).error().code(), ObjectErrc::kNoSuchKey);
  EXPECT_TRUE(check_write(c, &there));
  c.if_match = "other";
  EXPECT_EQ(check_write(c, &there).error().code(), ObjectErrc::kPreconditionFailed);
  c = {};
  c.if_none_match = "*";
  EXPECT_TRUE(check_write(c, nullptr));
  EXPECT_EQ(check_write(c, &there).error().code(), ObjectErrc::kPreconditionFailed);
  c.if_none_match = "other";
  EXPECT_TRUE(check_write(c, &there));
}

TEST(CheckDelete, LooksAtEtagSizeAndTime) {
  const ObjectHead there = head();
  DeleteItem item;
  item.if_size_bytes = 7;
  item.if_modified = Timestamp{kModifiedMs - 400};
  item.conditions.if_match = kEtag;
  EXPECT_TRUE(check_delete(item, &there));
  item.if_size_bytes = 8;
  EXPECT_FALSE(check_delete(item, &there));
  item.if_size_bytes = 7;
  item.if_modified = Timestamp{kModifiedMs + 1000};
  EXPECT_FALSE(check_delete(item, &there));
  item.if_modified.reset();
  EXPECT_EQ(check_delete(item, nullptr).error().code(), ObjectErrc::kNoSuchKey);
  item.conditions.if_match = "bad";
  EXPECT_FALSE(check_delete(item, &there));
  item = {};
  item.if_size_bytes = 7;
  item.if_modified = Timestamp{kModifiedMs};
  EXPECT_TRUE(check_delete(item, nullptr));
}

}  // namespace
}  // namespace andromede::objects
