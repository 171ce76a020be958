#include "journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "codec/json.h"
#include "journal/test_store.h"
#include "meta/test_unsupported_store.h"

namespace andromede::journal {
namespace {

using ::testing::HasSubstr;

std::string golden() {
  std::ifstream in(ANDROMEDE_TESTDATA "/entry-v1.bin", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Event sample() {
  Event event;
  event.source = "s3.andromede";
  event.name = "PutObject";
  event.account = "000000000001";
  event.principal = "AKIAABCDEFGHIJKLMNOP";
  event.request_id = "4442587FB7D0A2F9";
  event.source_address = "192.0.2.7";
  event.user_agent = "aws-cli/2";
  event.parameters = {{"bucketName", "archives"}, {"key", "é\"\n"}, {"prefix", ""}};
  return event;
}

TEST(Entry, GoldenFileDecodesAndEncodesIdentically) {
  const auto entry = decode_entry(as_bytes(golden()));
  ASSERT_TRUE(entry) << entry.error().message();
  EXPECT_EQ(entry->sequence, 7U);
  EXPECT_EQ(entry->previous[31], 31);
  EXPECT_THAT(entry->event, HasSubstr("\"bucketName\":\"archives\""));
  EXPECT_EQ(encode(*entry), golden());
}

TEST(Entry, AnyChangedByteAndAnyOtherLengthIsCorrupt) {
  const std::string bytes = golden();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_TRUE(decode_entry(as_bytes(changed)).error() == Errc::kCorrupt) << i;
    EXPECT_FALSE(decode_entry(as_bytes(bytes.substr(0, i)))) << i;
  }
  EXPECT_FALSE(decode_entry(as_bytes(bytes + "x")));
}

TEST(Entry, HasOneEncodingOnly) {
  // The size 1 as LEB128 with a padding zero, the hash made right again.
  Bytes bytes = to_bytes("AJE1");
  bytes.resize(44);
  for (const std::uint8_t byte : {0x81, 0x00, 0x78}) bytes.push_back(byte);
  const auto hash = crypto::sha256(bytes);
  bytes.insert(bytes.end(), hash.begin(), hash.end());
  EXPECT_THAT(decode_entry(bytes).error().message(), HasSubstr("shortest form"));
}

TEST(Render, IsCloudTrailsRecord) {
  const auto parsed = codec::parse_json(render(sample(), Timestamp{1'795'380'000'123}));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(*parsed, nlohmann::json::parse(R"({
    "eventVersion": "1.08",
    "userIdentity": {"type": "Root", "accountId": "000000000001", "accessKeyId": "AKIAABCDEFGHIJKLMNOP"},
    "eventTime": "2026-11-22T20:40:00.123Z", "eventSource": "s3.andromede", "eventName": "PutObject",
    "sourceIPAddress": "192.0.2.7", "userAgent": "aws-cli/2",
    "requestParameters": {"bucketName": "archives", "key": "é\"\n", "prefix": ""},
    "requestID": "4442587FB7D0A2F9", "eventType": "AwsApiCall", "recipientAccountId": "000000000001"})"));
}

TEST(Render, OperatorHasNoAccount) {
  Event event = sample();
  event.account.clear();
  event.principal = "alice";
  const auto parsed = codec::parse_json(render(event, {}));
  EXPECT_EQ((*parsed)["userIdentity"], nlohmann::json::parse(R"({"type":"Operator","userName":"alice"})"));
  EXPECT_FALSE(parsed->contains("recipientAccountId"));
}

TEST(Render, CutsWhatIsTooLongAtACharactersEndAndAlwaysFitsAnEntry) {
  Event event = sample();
  event.user_agent = "x";
  for (int i = 0; i < 1000; ++i) event.user_agent += "é";
  event.parameters.clear();
  // Control characters take six bytes each in JSON: the worst case.
  for (int i = 0; i < 40; ++i) event.parameters.emplace_back("p" + std::to_string(i), std::string(100'000, '\x01'));
  const std::string rendered = render(event, {});
  const auto parsed = codec::parse_json(rendered, {.bytes = 4 << 20});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ((*parsed)["userAgent"].get<std::string>().size(), 1023U);
  EXPECT_EQ((*parsed)["requestParameters"].size(), kMaxParameters);
  EXPECT_LE(rendered.size(), kMaxEventBytes);
}

TEST(Sealer, LinksAndRestores) {
  Sealer sealer;
  ASSERT_TRUE(sealer.restore(0, {}));
  const std::string first = sealer.seal(1, "{\"n\":1}");
  const std::string second = sealer.seal(2, "{\"n\":2}");
  EXPECT_EQ(decode_entry(as_bytes(first))->previous, crypto::Sha256Digest{});
  EXPECT_EQ(decode_entry(as_bytes(second))->previous, decode_entry(as_bytes(first))->hash);
  Sealer restarted;
  ASSERT_TRUE(restarted.restore(1, as_bytes(first)));
  EXPECT_EQ(restarted.seal(2, "{\"n\":2}"), second);
  EXPECT_TRUE(restarted.restore(2, as_bytes(first)).error() == Errc::kCorrupt);
  EXPECT_TRUE(restarted.restore(1, as_bytes("garbage")).error() == Errc::kCorrupt);
  EXPECT_FALSE(restarted.restore(3, {}));
}

TEST(Journal, ReadsAndVerifiesWhatTheEngineStoredAcrossRestarts) {
  TestStore cloud;
  EXPECT_EQ(sync_wait(verify_all(cloud.store()))->entries, 0U);
  for (int i = 1; i <= 25; ++i) {
    ASSERT_TRUE(cloud.put("k", "v", "{\"n\":" + std::to_string(i) + "}"));
    if (i % 10 == 0) cloud.reopen();
  }
  const auto page = sync_wait(read_entries(cloud.store(), 9, 5));
  ASSERT_TRUE(page) << page.error().message();
  ASSERT_EQ(page->size(), 5U);
  EXPECT_EQ(page->front().sequence, 9U);
  EXPECT_EQ(page->back().event, "{\"n\":13}");
  EXPECT_EQ(sync_wait(read_entries(cloud.store(), 24, 100))->size(), 2U);
  EXPECT_TRUE(sync_wait(read_entries(cloud.store(), 26, 100))->empty());
  EXPECT_TRUE(sync_wait(read_entries(cloud.store(), 99, 100))->empty());
  EXPECT_TRUE(sync_wait(read_entries(cloud.store(), 1, 0))->empty());
  EXPECT_EQ(sync_wait(read_entries(cloud.store(), 0, 3))->front().sequence, 1U);
  const auto verified = sync_wait(verify_all(cloud.store()));
  ASSERT_TRUE(verified) << verified.error().message();
  EXPECT_EQ(verified->entries, 25U);
  EXPECT_EQ(verified->head, sync_wait(read_entries(cloud.store(), 25, 1))->front().hash);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(sync_wait(verify_all(cloud.store(), stop.get_token())).error() == Errc::kCancelled);
}

// A store whose entries were tampered with: what it answers to scans of the journal is what a test wants.
class TamperedStore final : public meta::UnsupportedStore {
 public:
  explicit TamperedStore(std::vector<meta::Item> items, std::uint64_t last) : items_(std::move(items)), last_(last) {}
  Task<Result<std::vector<meta::Item>>> scan(meta::Scan scan) override {
    std::vector<meta::Item> found;
    for (const auto& item : items_) {
      if (item.key >= scan.begin && found.size() < scan.limit) found.push_back(item);
    }
    co_return found;
  }
  [[nodiscard]] std::uint64_t last_sequence() const override { return last_; }

 private:
  std::vector<meta::Item> items_;
  std::uint64_t last_;
};

std::vector<meta::Item> five_entries() {
  Sealer sealer;
  std::vector<meta::Item> items;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    Bytes key;
    append_be64(key, i);
    items.push_back({std::string(as_text(key)), sealer.seal(i, "{\"n\":" + std::to_string(i) + "}")});
  }
  return items;
}

std::string verdict(std::vector<meta::Item> items) {
  TamperedStore store(std::move(items), 5);
  const auto verified = sync_wait(verify_all(store));
  return verified ? "whole" : verified.error().message();
}

TEST(Journal, EveryKindOfTamperingIsFoundAndNamed) {
  EXPECT_EQ(verdict(five_entries()), "whole");
  auto items = five_entries();
  items[2].value[50] ^= 1;
  EXPECT_THAT(verdict(items), HasSubstr("journal entry 3"));
  items = five_entries();
  items.erase(items.begin() + 2);
  EXPECT_EQ(verdict(items), "journal entry 3 is missing");
  items = five_entries();
  std::swap(items[1].value, items[2].value);
  EXPECT_EQ(verdict(items), "journal entry 2 has another entry's content");
  items = five_entries();
  items.pop_back();
  EXPECT_EQ(verdict(items), "journal entry 5 is missing");
  EXPECT_EQ(verdict({}), "journal entry 1 is missing");
  // An entry rewritten with a right hash of its own: the next one's link shows it.
  items = five_entries();
  Entry forged = *decode_entry(as_bytes(items[2].value));
  forged.event = "{\"n\":\"forged\"}";
  items[2].value = encode(forged);
  EXPECT_EQ(verdict(items), "journal entry 4 does not link to the entry before it");
  // The first entry of a page is checked against the one before the page.
  TamperedStore store(items, 5);
  EXPECT_FALSE(sync_wait(read_entries(store, 4, 1)));
  EXPECT_TRUE(sync_wait(read_entries(store, 5, 1)));
  // A first entry that claims a predecessor: the true beginning was cut off and the rest renumbered.
  items = five_entries();
  Entry headless = *decode_entry(as_bytes(items[0].value));
  headless.previous[0] = 1;
  items[0].value = encode(headless);
  EXPECT_EQ(verdict(items), "journal entry 1 does not link to the entry before it");
}

}  // namespace
}  // namespace andromede::journal
