#include "objects/blob_catalog.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "objects/layout.h"
#include "objects/records.h"

namespace andromede::objects {
namespace {

// Two copies of a few records, and what happens between a look at them and its answer.
class TwoCopies final : public meta::EveryRoot {
 public:
  using Copy = std::map<std::string, std::string>;
  Task<Result<std::optional<std::string>>> get_anywhere(meta::Key key, Deadline) override {
    auto value = of(copies[0], key.bytes);
    if (after_look) after_look();
    co_return value;
  }
  Task<Result<std::vector<meta::Item>>> scan_anywhere(meta::Scan scan) override { co_return page(scan, {&copies[0]}); }
  Task<Result<meta::CommitInfo>> commit_anywhere(meta::Commit, Deadline) override {
    co_return fail(Errc::kUnsupported, "no");
  }
  Task<Result<std::vector<meta::Item>>> scan_everywhere(meta::Scan scan) override {
    co_return page(scan, {&copies[0], &copies[1]});
  }
  Task<Result<std::vector<meta::CopyAnswer>>> get_everywhere(meta::Key key, Deadline) override {
    ++looks;
    std::vector<meta::CopyAnswer> answers;
    for (const Copy& copy : copies) answers.push_back({std::to_string(answers.size()), of(copy, key.bytes)});
    if (after_look) after_look();
    co_return answers;
  }
  [[nodiscard]] std::size_t max_scan_items() const override { return 4096; }

  std::array<Copy, 2> copies;
  std::function<void()> after_look;
  int looks = 0;

 private:
  static std::optional<std::string> of(const Copy& copy, const std::string& key) {
    const auto found = copy.find(key);
    return found == copy.end() ? std::nullopt : std::optional(found->second);
  }
  // The limit is each copy's, and none tells of more than all have told of.
  static std::vector<meta::Item> page(const meta::Scan& scan, const std::vector<const Copy*>& copies) {
    std::set<std::pair<std::string, std::string>> items;
    std::string known_to = scan.end;
    for (const Copy* copy : copies) {
      std::size_t count = 0;
      for (auto item = copy->lower_bound(scan.begin); item != copy->lower_bound(scan.end); ++item) {
        items.insert(*item);
        if (++count < scan.limit) continue;
        known_to = std::min(known_to, item->first);
        break;
      }
    }
    std::vector<meta::Item> page;
    for (const auto& [key, value] : items) {
      if (key <= known_to) page.push_back({key, value});
    }
    return page;
  }
};

class NoBlobs final : public blob::Store {
 public:
  Task<Result<std::unique_ptr<blob::Writer>>> open_writer(BlobId, PolicyId, std::uint64_t, Deadline) override {
    co_return fail(Errc::kUnsupported, "no");
  }
  using blob::Store::open_reader;
  Task<Result<std::unique_ptr<blob::Reader>>> open_reader(blob::BlobRef, std::uint64_t, std::uint64_t, Deadline,
                                                          blob::Suspects) override {
    co_return fail(Errc::kUnsupported, "no");
  }
  [[nodiscard]] std::vector<blob::Suspects> suspects(const blob::BlobRef&, blob::Suspects known,
                                                     std::size_t) const override {
    return {known};
  }
  void distrust(const blob::BlobRef&, blob::Suspects) override {}
  void remove(blob::BlobRef) override {}
};

class BlobCatalogTest : public testing::Test {
 protected:
  BlobCatalogTest() {
    ref_.id = BlobId::random(random_);
    ref_.size_bytes = 1000;
    ref_.locator = {1, 2, 3};
    other_ = ref_;
    other_.locator = {1, 2, 4};
  }
  void record(std::size_t copy, const blob::BlobRef& ref) {
    store_.copies.at(copy)[layout::blob(ref.id)] = encode(BlobRecord{ref, KeyId{}, Bytes(40, 7)});
  }

  SystemRandom random_;
  SystemClock clock_;
  NoBlobs blobs_;
  LiveBlobs live_{blobs_};
  TwoCopies store_;
  BlobCatalog catalog_{store_, live_, clock_, std::chrono::seconds(1)};
  blob::BlobRef ref_;
  blob::BlobRef other_;
};

// Written, and recorded just after the look at the records: whoever looks sees it, in one way or the other.
TEST_F(BlobCatalogTest, ABlobIsSeenAtTheMomentOfItsCommit) {
  for (const bool everywhere : {false, true}) {
    store_.copies = {};
    live_.written(ref_);
    store_.after_look = [&] {
      record(0, ref_);
      record(1, ref_);
      live_.committed({ref_});
      store_.after_look = nullptr;
    };
    if (everywhere) {
      const auto found = catalog_.find_everywhere(ref_.id);
      ASSERT_TRUE(found);
      EXPECT_TRUE(found->agree);
      EXPECT_EQ(found->refs, (std::vector<blob::BlobRef>{ref_}));
    } else {
      const auto found = catalog_.find(ref_.id);
      ASSERT_TRUE(found);
      EXPECT_EQ(*found, ref_);
    }
    const auto recorded = catalog_.find(ref_.id);
    EXPECT_EQ(*recorded, ref_) << "and afterwards";
  }
}

TEST_F(BlobCatalogTest, CopiesThatDifferAreToldAndAllThatTheyNameIsAnswered) {
  record(0, ref_);
  record(1, other_);
  auto found = catalog_.find_everywhere(ref_.id);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->agree);
  EXPECT_EQ(found->refs, (std::vector<blob::BlobRef>{ref_, other_}));
  store_.copies[0].clear();
  found = catalog_.find_everywhere(ref_.id);
  EXPECT_FALSE(found->agree);
  EXPECT_EQ(found->refs, (std::vector<blob::BlobRef>{other_}));
  // A commit that one copy has a moment later is no difference.
  store_.looks = 0;
  store_.after_look = [&] { record(0, other_); };
  found = catalog_.find_everywhere(ref_.id);
  EXPECT_TRUE(found->agree);
  EXPECT_EQ(store_.looks, 2);
  store_.copies = {};
  store_.after_look = nullptr;
  found = catalog_.find_everywhere(ref_.id);
  EXPECT_TRUE(found->agree);
  EXPECT_TRUE(found->refs.empty());
}

TEST_F(BlobCatalogTest, ARecordThatCannotBeReadOnOneCopyIsToldAndTheOthersWordCounts) {
  record(0, ref_);
  record(1, ref_);
  store_.copies[1][layout::blob(ref_.id)] = "damaged";
  auto found = catalog_.find_everywhere(ref_.id);
  ASSERT_TRUE(found) << found.error().describe();
  EXPECT_FALSE(found->agree);
  EXPECT_EQ(found->refs, (std::vector<blob::BlobRef>{ref_}));
  EXPECT_EQ(found->unreadable_on, (std::vector<std::string>{"1"}));
  // The record of another blob is none of this one.
  other_.id = BlobId::random(random_);
  store_.copies[1][layout::blob(ref_.id)] = encode(BlobRecord{other_, KeyId{}, Bytes(40, 7)});
  found = catalog_.find_everywhere(ref_.id);
  EXPECT_EQ(found->refs, (std::vector<blob::BlobRef>{ref_}));
  EXPECT_EQ(found->unreadable_on, (std::vector<std::string>{"1"}));
  store_.copies[0] = store_.copies[1];
  found = catalog_.find_everywhere(ref_.id);
  EXPECT_FALSE(found->agree) << "they say the same, which says nothing";
  EXPECT_TRUE(found->refs.empty());
}

TEST_F(BlobCatalogTest, RecordsThatCannotBeReadDoNotEndAList) {
  std::vector<blob::BlobRef> refs(40, ref_);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    Bytes id(BlobId::kSize, 0);
    id[0] = static_cast<std::uint8_t>(i + 1);
    refs[i].id = BlobId::from_bytes(id);
    record(0, refs[i]);
    record(1, refs[i]);
  }
  // Runs of them, longer than a page; and keys that are nobody's.
  std::vector<BlobId> unreadable;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (i % 10 < 7) continue;
    unreadable.push_back(refs[i].id);
    store_.copies[0][layout::blob(refs[i].id)] = "damaged";
  }
  for (const std::string& key : {layout::blob(refs[4].id) + "longer", std::string("l/\x07\x01"), std::string("l/")}) {
    store_.copies[0][key] = "damaged";
  }
  std::vector<blob::BlobRef> readable = refs;
  std::erase_if(readable,
                [&](const blob::BlobRef& ref) { return std::ranges::find(unreadable, ref.id) != unreadable.end(); });
  for (const std::size_t limit : {2U, 3U, 5U, 100U}) {
    std::vector<blob::BlobRef> listed;
    for (BlobId after;;) {
      const auto page = catalog_.list(after, limit);
      ASSERT_TRUE(page);
      std::ranges::copy(*page, std::back_inserter(listed));
      if (page->size() < limit) break;
      after = page->back().id;
    }
    EXPECT_EQ(listed, readable) << limit;
    std::set<BlobId> listed_everywhere;
    std::set<BlobId> told;
    BlobId after;
    for (bool more = true; more;) {
      const auto page = catalog_.list_everywhere(after, limit);
      ASSERT_TRUE(page);
      for (const blob::BlobRef& ref : page->refs) listed_everywhere.insert(ref.id);
      told.insert(page->unreadable.begin(), page->unreadable.end());
      more = page->next.has_value();
      if (more) after = *page->next;
    }
    EXPECT_EQ(listed_everywhere.size(), refs.size()) << limit;
    EXPECT_TRUE(std::ranges::all_of(unreadable, [&](BlobId id) { return told.contains(id); })) << limit;
  }
}

}  // namespace
}  // namespace andromede::objects
