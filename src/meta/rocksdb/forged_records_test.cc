// Drives that lie: records changed, swapped, moved and invented on a mirror with right checksums, as only whoever
// writes its files can. What is answered is right while one mirror has it, the liar is found out, counted, and made
// anew.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "crypto/digest.h"
#include "meta/rocksdb/commit_log.h"
#include "meta/rocksdb/mirror.h"
#include "meta/rocksdb/own_cache.h"
#include "meta/rocksdb/recovery.h"
#include "meta/rocksdb/test_cloud.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMirrors = 3;
constexpr int kSealedKeys = 8;

std::string sealed_key(int i) { return "k" + std::to_string(i); }
std::string sealed_value(int i) { return "value " + std::to_string(i); }
std::string sealed_payload(int i) { return std::string(2000, static_cast<char>('a' + i)); }
std::string entry_key(std::uint64_t sequence) {
  Bytes key;
  append_be64(key, sequence);
  return std::string(as_text(key));
}

// A mirror's RocksDB, written past everything that would seal.
class Forger {
 public:
  explicit Forger(const std::string& root) {
    State::Options options;
    options.seal = test_record_seal();
    options.cache = rocksdb::NewLRUCache(1 << 20);
    auto opened = State::open(root + "/" + kStatePath, options);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().describe());
    if (opened) state_ = std::move(*opened);
  }
  ~Forger() { EXPECT_TRUE(state_->flush()); }
  std::string stored(Space space, const std::string& key) {
    std::string value;
    EXPECT_TRUE(state_->db().Get(rocksdb::ReadOptions(), state_->family(space), key, &value).ok());
    return value;
  }
  void put(Space space, const std::string& key, const std::string& stored) {
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    EXPECT_TRUE(state_->db().Put(unlogged, state_->family(space), key, stored).ok());
  }
  void put_engines_own(const std::string& key, const std::string& stored) {
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    EXPECT_TRUE(state_->db().Put(unlogged, state_->db().DefaultColumnFamily(), key, stored).ok());
  }
  void merge_engines_own(const std::string& key, const std::string& operand) {
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    EXPECT_TRUE(state_->db().Merge(unlogged, state_->db().DefaultColumnFamily(), key, operand).ok());
  }
  void erase(Space space, const std::string& key) {
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    EXPECT_TRUE(state_->db().Delete(unlogged, state_->family(space), key).ok());
  }
  std::string engines_own(const std::string& key) {
    std::string value;
    EXPECT_TRUE(state_->db().Get(rocksdb::ReadOptions(), state_->db().DefaultColumnFamily(), key, &value).ok());
    return value;
  }
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

enum class Forgery { kChanged, kSwapped, kMoved, kInvented, kCut, kMerged };

void forge(const std::string& root, Forgery forgery) {
  Forger forger(root);
  for (int i = 0; i < kSealedKeys; i += 2) {
    const std::string moved[] = {forger.stored(Space::kInline, sealed_key(i)),
                                 forger.stored(Space::kRecords, sealed_key(i))};
    for (const Space space : {Space::kRecords, Space::kInline}) {
      std::string stored = forger.stored(space, sealed_key(i));
      switch (forgery) {
        case Forgery::kChanged:
          stored[3] = static_cast<char>(stored[3] ^ 1);
          forger.put(space, sealed_key(i), stored);
          break;
        case Forgery::kSwapped:
          forger.put(space, sealed_key(i), forger.stored(space, sealed_key(i + 1)));
          forger.put(space, sealed_key(i + 1), stored);
          break;
        case Forgery::kMoved:
          forger.put(space, sealed_key(i), moved[static_cast<std::size_t>(space)]);
          break;
        case Forgery::kInvented:
          forger.put(space, "invented" + std::to_string(i), stored);
          forger.put(space, sealed_key(i), "invented");
          break;
        case Forgery::kCut:
          forger.put(space, sealed_key(i), "");
          break;
        case Forgery::kMerged: {
          rocksdb::WriteOptions unlogged;
          unlogged.disableWAL = true;
          rocksdb::DB& db = forger.state().db();
          EXPECT_TRUE(db.Merge(unlogged, forger.state().family(space), sealed_key(i), "more").ok());
        }
      }
    }
  }
}

// How somebody reads, and what he must be told.
struct Way {
  const char* name;
  std::function<void(TestCloud&)> read;
};

std::vector<Item> expected_items(bool keys_only) {
  std::vector<Item> items;
  for (int i = 0; i < kSealedKeys; ++i) items.push_back({sealed_key(i), keys_only ? "" : sealed_value(i)});
  return items;
}

void expect_items(const Result<std::vector<Item>>& found, std::vector<Item> expected) {
  ASSERT_TRUE(found) << found.error().describe();
  ASSERT_EQ(found->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ((*found)[i].key, expected[i].key);
    EXPECT_EQ((*found)[i].value, expected[i].value);
  }
}

Scan scan_all() {
  Scan scan;
  scan.begin = "i";
  scan.end = "l";
  return scan;
}

const std::vector<Way>& ways() {
  static const std::vector<Way> all{
      {"Get",
       [](TestCloud& cloud) {
         for (int i = 0; i < kSealedKeys; ++i) EXPECT_EQ(cloud.read(sealed_key(i)), sealed_value(i));
         EXPECT_EQ(cloud.read("invented0"), "absent");
       }},
      {"GetInline",
       [](TestCloud& cloud) {
         for (int i = 0; i < kSealedKeys; ++i) EXPECT_EQ(cloud.read(sealed_key(i), Space::kInline), sealed_payload(i));
       }},
      {"GetMany",
       [](TestCloud& cloud) {
         std::vector<std::string> keys;
         for (int i = 0; i < kSealedKeys; ++i) keys.push_back(sealed_key(i));
         const auto values = sync_wait(cloud.store().get_many({}, keys, Deadline::never()));
         ASSERT_TRUE(values) << values.error().describe();
         for (int i = 0; i < kSealedKeys; ++i) EXPECT_EQ((*values)[static_cast<std::size_t>(i)], sealed_value(i));
       }},
      {"GetFollowing",
       [](TestCloud& cloud) {
         for (int i = 0; i < kSealedKeys; ++i) {
           const NamedKey named = [i](std::string_view) { return Key{Space::kInline, sealed_key(i)}; };
           const auto found =
               sync_wait(cloud.store().get_following({}, {Space::kRecords, sealed_key(i)}, named, Deadline::never()));
           ASSERT_TRUE(found) << found.error().describe();
           EXPECT_EQ(found->value, sealed_value(i));
           EXPECT_EQ(found->named, sealed_payload(i));
         }
       }},
      {"Scan",
       [](TestCloud& cloud) { expect_items(sync_wait(cloud.store().scan(scan_all())), expected_items(false)); }},
      {"ScanOfKeys",
       [](TestCloud& cloud) {
         Scan scan = scan_all();
         scan.keys_only = true;
         expect_items(sync_wait(cloud.store().scan(scan)), expected_items(true));
       }},
      {"Cursor",
       [](TestCloud& cloud) {
         auto cursor = cloud.store().cursor({{}, "", "i", "l", {}});
         auto there = sync_wait(cursor->seek("i"));
         for (int i = 0; i < kSealedKeys; ++i) {
           ASSERT_TRUE(there && *there) << (there ? "the end" : there.error().describe());
           EXPECT_EQ(cursor->key(), sealed_key(i));
           EXPECT_EQ(cursor->value(), sealed_value(i));
           there = sync_wait(cursor->next());
         }
         EXPECT_TRUE(there && !*there);
       }},
      {"Expectations",
       [](TestCloud& cloud) {
         for (int i = 0; i < kSealedKeys; ++i) {
           Commit change;
           change.unwitnessed = "a test";
           change.expect.push_back({sealed_key(i), sealed_value(i)});
           const auto done = cloud.commit(std::move(change));
           EXPECT_TRUE(done) << done.error().describe();
         }
         Commit change;
         change.unwitnessed = "a test";
         change.expect.push_back({"invented0", std::nullopt});
         EXPECT_TRUE(cloud.commit(std::move(change)));
       }},
      // Whoever must hear every copy hears of the liar first, and then of those that are left.
      {"GetEverywhere",
       [](TestCloud& cloud) {
         for (int i = 0; i < kSealedKeys; ++i) {
           Result<std::vector<CopyAnswer>> answers = std::vector<CopyAnswer>();
           EXPECT_TRUE(eventually([&] {
             answers = sync_wait(cloud.store().get_everywhere({Space::kRecords, sealed_key(i)}, Deadline::never()));
             return answers || answers.error() != Errc::kUnavailable;
           }));
           ASSERT_TRUE(answers) << answers.error().describe();
           for (const CopyAnswer& answer : *answers) EXPECT_EQ(answer.value, sealed_value(i)) << answer.copy;
         }
       }},
      {"ScanEverywhere",
       [](TestCloud& cloud) {
         Result<std::vector<Item>> found = std::vector<Item>();
         EXPECT_TRUE(eventually([&] {
           found = sync_wait(cloud.store().scan_everywhere(scan_all()));
           return found || found.error() != Errc::kUnavailable;
         }));
         expect_items(found, expected_items(false));
       }},
  };
  return all;
}

std::unique_ptr<TestCloud> filled_cloud(std::size_t mirrors) {
  auto cloud = std::make_unique<TestCloud>(mirrors, mirrors);
  EXPECT_TRUE(cloud->open());
  for (int i = 0; i < kSealedKeys; ++i) {
    Commit change;
    change.event = "put";
    change.put.push_back({{Space::kRecords, sealed_key(i)}, sealed_value(i)});
    change.put.push_back({{Space::kInline, sealed_key(i)}, sealed_payload(i)});
    EXPECT_TRUE(cloud->commit(std::move(change)));
  }
  cloud->close();
  return cloud;
}

bool counted(TestCloud& cloud) {
  const std::string text = cloud.metrics().render();
  const std::string name = "\nandromede_meta_forged_records_total ";
  const std::size_t at = text.find(name);
  return at != std::string::npos && text[at + name.size()] != '0';
}

class ForgedRecords : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Ways, ForgedRecords, testing::Range<std::size_t>(0, ways().size()),
                         [](const auto& info) { return ways()[info.param].name; });

TEST_P(ForgedRecords, AreAnsweredRightWhileOneMirrorIsHonest) {
  int honest = 0;
  for (const Forgery forgery :
       {Forgery::kChanged, Forgery::kSwapped, Forgery::kMoved, Forgery::kInvented, Forgery::kCut, Forgery::kMerged}) {
    SCOPED_TRACE("forgery " + std::to_string(static_cast<int>(forgery)));
    const auto cloud = filled_cloud(kMirrors);
    honest = (honest + 1) % static_cast<int>(kMirrors);
    for (std::size_t i = 0; i < kMirrors; ++i) {
      if (i != static_cast<std::size_t>(honest)) forge(cloud->root(i), forgery);
    }
    ASSERT_TRUE(cloud->open());
    ways()[GetParam()].read(*cloud);
    if (honest != 0) {
      EXPECT_TRUE(counted(*cloud));
    }
  }
}

// The mirror that is read first, and the others by whoever asks all.
TEST(ForgedRecordsOfEachMirror, AreFoundNamedAndMadeAnew) {
  for (std::size_t liar = 0; liar < kMirrors; ++liar) {
    SCOPED_TRACE(liar);
    const auto cloud = filled_cloud(kMirrors);
    forge(cloud->root(liar), Forgery::kSwapped);
    ASSERT_TRUE(cloud->open());
    const auto answers = sync_wait(cloud->store().get_everywhere({Space::kRecords, sealed_key(0)}, Deadline::never()));
    EXPECT_FALSE(answers);
    EXPECT_TRUE(eventually([&] { return !cloud->current(liar); }));
    EXPECT_EQ(cloud->store().why_lost(cloud->id(liar)), "forged or swapped record among the records");
    EXPECT_TRUE(counted(*cloud));
    EXPECT_TRUE(cloud->drives().online(cloud->id(liar)));  // its data are good as ever
    for (int i = 0; i < kSealedKeys; ++i) EXPECT_EQ(cloud->read(sealed_key(i)), sealed_value(i));
    const Status added = cloud->store().add_mirror(cloud->id(liar), {});
    ASSERT_TRUE(added) << added.error().describe();
    EXPECT_EQ(cloud->store().why_lost(cloud->id(liar)), "");
    for (std::size_t i = 0; i < kMirrors; ++i) {
      if (i != liar) ASSERT_TRUE(cloud->store().remove_mirror(cloud->id(i)));
    }
    for (const Way& way : ways()) way.read(*cloud);
    EXPECT_EQ(cloud->verify_journal(), static_cast<std::uint64_t>(kSealedKeys));
  }
}

// Met under way: what a cursor fetched ahead of it is shown, and the rest read from another mirror.
TEST(ForgedRecordsOfEachMirror, AreStepsOfAWalkLikeAnyOther) {
  constexpr int kMany = 60;
  TestCloud cloud(kMirrors, kMirrors);
  ASSERT_TRUE(cloud.open());
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(cloud.put("m" + std::to_string(100 + i), sealed_value(i)));
  cloud.close();
  for (const auto& [liar, forged] : {std::pair{0, "m140"}, std::pair{1, "m150"}}) {
    Forger forger(cloud.root(static_cast<std::size_t>(liar)));
    forger.put(Space::kRecords, forged, forger.stored(Space::kRecords, "m100"));
  }
  ASSERT_TRUE(cloud.open());
  auto cursor = cloud.store().cursor({{}, "", "m", "n", {}});
  auto there = sync_wait(cursor->seek("m"));
  for (int i = 0; i < kMany; ++i) {
    ASSERT_TRUE(there && *there) << (there ? "the end" : there.error().describe());
    EXPECT_EQ(cursor->key(), "m" + std::to_string(100 + i));
    EXPECT_EQ(cursor->value(), sealed_value(i));
    const auto quick = cursor->try_next();
    there = quick ? *quick : sync_wait(cursor->next());
  }
  EXPECT_TRUE(there && !*there);
  EXPECT_TRUE(eventually([&] { return !cloud.current(0) && !cloud.current(1); }));
}

TEST(ForgedRecordsOfTheLastMirror, AreCorruptAndNeverAnswered) {
  for (const Forgery forgery : {Forgery::kChanged, Forgery::kSwapped, Forgery::kMoved, Forgery::kCut}) {
    const auto cloud = filled_cloud(1);
    forge(cloud->root(0), forgery);
    ASSERT_TRUE(cloud->open());
    const auto corrupt = [](const auto& answer) { return !answer && answer.error() == Errc::kCorrupt; };
    EXPECT_TRUE(corrupt(cloud->get(sealed_key(0))));
    EXPECT_TRUE(corrupt(cloud->get(sealed_key(0), Space::kInline)));
    EXPECT_TRUE(corrupt(sync_wait(cloud->store().get_many({}, {sealed_key(7), sealed_key(0)}, Deadline::never()))));
    EXPECT_TRUE(corrupt(sync_wait(cloud->store().scan(scan_all()))));
    auto cursor = cloud->store().cursor({{}, "", "i", "l", {}});
    EXPECT_TRUE(corrupt(sync_wait(cursor->seek("i"))));
    EXPECT_FALSE(sync_wait(cloud->store().get_everywhere({Space::kRecords, sealed_key(0)}, Deadline::never())));
    Commit change;
    change.unwitnessed = "a test";
    change.expect.push_back({sealed_key(0), sealed_value(0)});
    EXPECT_FALSE(cloud->commit(std::move(change)));
    // What else it holds is served, and it goes on.
    const int good = forgery == Forgery::kSwapped ? -1 : 1;
    if (good == 1) EXPECT_EQ(cloud->read(sealed_key(good)), sealed_value(good));
    EXPECT_TRUE(cloud->put("after", "1"));
    EXPECT_EQ(cloud->read("after"), "1");
  }
}

TEST(ForgedRecordsOfTheJournal, AreFoundByReadersAndAtTheOpening) {
  const auto cloud = filled_cloud(kMirrors);
  {
    Forger forger(cloud->root(0));
    forger.put(Space::kJournal, entry_key(2), forger.stored(Space::kJournal, entry_key(3)));
  }
  {
    Forger forger(cloud->root(1));
    forger.put(Space::kJournal, entry_key(kSealedKeys), "8 0 put and a tag of no one");
  }
  ASSERT_TRUE(cloud->open());
  // The last entry is looked at by an opening.
  EXPECT_FALSE(cloud->current(1));
  const auto events = cloud->store().take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].drive, cloud->id(1));
  EXPECT_EQ(events[0].reason, "forged or swapped record among the journal");
  EXPECT_EQ(cloud->verify_journal(), static_cast<std::uint64_t>(kSealedKeys));
  EXPECT_TRUE(eventually([&] { return !cloud->current(0); }));
}

// One that says it has more commits than were made would be the truth, and the others copied from it.
TEST(ForgedNumbersOfAMirror, DoNotMakeItTheTruth) {
  for (std::size_t liar = 0; liar < kMirrors; ++liar) {
    for (const auto& [number, merged] :
         {std::pair("applied", false), {"salt", false}, {"applied", true}, {"salt", true}}) {
      const auto cloud = filled_cloud(kMirrors);
      forge(cloud->root(liar), Forgery::kChanged);
      {
        Forger forger(cloud->root(liar));
        std::string stored = forger.engines_own(number);
        stored[1] = static_cast<char>(stored[1] + 1);
        if (merged) {
          forger.merge_engines_own(number, stored);
        } else {
          forger.put_engines_own(number, stored);
        }
      }
      ASSERT_TRUE(cloud->open());
      EXPECT_FALSE(cloud->current(liar));
      EXPECT_EQ(cloud->store().mirrors().size(), kMirrors - 1);
      for (const Way& way : ways()) way.read(*cloud);
    }
  }
}

// The first of the drive map, which the others would be copied from: what it left out would be gone everywhere.
TEST(ForgedEndsOfTheJournal, DoNotMakeAMirrorTheTruth) {
  for (std::size_t liar = 0; liar < kMirrors; ++liar) {
    const auto cloud = filled_cloud(kMirrors);
    {
      Forger forger(cloud->root(liar));
      forger.erase(Space::kJournal, entry_key(kSealedKeys));
      forger.erase(Space::kRecords, sealed_key(kSealedKeys - 1));
    }
    ASSERT_TRUE(cloud->open());
    EXPECT_FALSE(cloud->current(liar));
    for (const Way& way : ways()) way.read(*cloud);
    EXPECT_EQ(cloud->verify_journal(), static_cast<std::uint64_t>(kSealedKeys));
  }
}

// Anybody can write a marker.
TEST(MarkersOfAnotherVersion, AreTheirMirrorsDamageWhereAnotherIsGood) {
  const auto mark = [](TestCloud& cloud, std::size_t mirror) {
    Bytes marker = encode_marker(cloud.options.log_segment_bytes);
    marker[4] = 99;
    const std::uint32_t crc = crypto::crc32c(0, ByteView(marker).first(marker.size() - sizeof crc));
    std::memcpy(marker.data() + marker.size() - sizeof crc, &crc, sizeof crc);
    ASSERT_TRUE(cloud.drives().disk(cloud.id(mirror))->replace(kMarkerPath, marker));
  };
  const auto cloud = filled_cloud(kMirrors);
  mark(*cloud, 0);
  ASSERT_TRUE(cloud->open());
  EXPECT_FALSE(cloud->current(0));
  for (const Way& way : ways()) way.read(*cloud);
  cloud->close();
  for (std::size_t mirror = 1; mirror < kMirrors; ++mirror) mark(*cloud, mirror);
  const Status refused = cloud->open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kUnsupported);
  EXPECT_NE(refused.error().message().find("version 99"), std::string::npos) << refused.error().message();
}

// What a mirror made by copying has in the cache that all share is its own.
TEST(OwnCaches, HaveNamesOfTheirOwn) {
  const auto shared = rocksdb::NewLRUCache(1 << 20);
  const auto one = make_own_cache(shared);
  const auto other = make_own_cache(shared);
  static int value = 0;
  const auto ignore = [](const rocksdb::Slice&, void*) {};
  for (const std::string& name : {std::string("sixteen bytes it"), std::string(100, 'n')}) {
    ASSERT_TRUE(one->Insert(name, &value, 1, ignore).ok());
    EXPECT_EQ(other->Lookup(name), nullptr);
    rocksdb::Cache::Handle* const found = one->Lookup(name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(one->Value(found), &value);
    one->Release(found);
    other->Erase(name);
    EXPECT_EQ(shared->Lookup(name), nullptr);
    one->Erase(name);
    EXPECT_EQ(one->Lookup(name), nullptr);
  }
}

// A drive knows the salt, and what a group looks like.
TEST(ForgedGroupsOfTheLog, AreNotTakenForCommits) {
  for (std::size_t liar = 0; liar < kMirrors; ++liar) {
    SCOPED_TRACE(liar);
    const auto cloud = filled_cloud(kMirrors);
    ASSERT_TRUE(cloud->open());
    ASSERT_TRUE(cloud->put("z-last", "1"));
    cloud->kill();
    {
      Mirror::Options options;
      options.seal = test_record_seal();
      options.log_segment_bytes = cloud->options.log_segment_bytes;
      const auto mirror = open_and_replay(cloud->id(liar), cloud->drives().disk(cloud->id(liar)), options);
      ASSERT_TRUE(mirror) << mirror.error().describe();
      const State& state = (*mirror)->state();
      RecordBuilder builder(test_record_seal(2));  // whatever key it has
      builder.put(Space::kRecords, sealed_key(0), "forged");
      builder.put(Space::kJournal, entry_key(kSealedKeys + 2), "10 0 forged");
      const Bytes record = to_bytes(builder.finish(state.salt(), state.applied() + 1, 1));
      // Behind what its log holds.
      const auto file = (*mirror)->disk().open(std::string(kLogFolder) + "/segment-0000", io::OpenMode::kReadWrite);
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->write_at(16 * kLogBlockBytes, record));
      ASSERT_TRUE((*file)->sync());
    }
    ASSERT_TRUE(cloud->open());
    for (const Way& way : ways()) way.read(*cloud);
    EXPECT_EQ(cloud->read("z-last"), "1");
    EXPECT_EQ(cloud->verify_journal(), kSealedKeys + 1U);
  }
}

// What nobody reads is found by whoever verifies.
TEST(ForgedRecordsAtRest, AreFoundByVerifyingAndNotCopied) {
  const auto cloud = filled_cloud(kMirrors);
  forge(cloud->root(0), Forgery::kMoved);
  forge(cloud->root(1), Forgery::kChanged);
  ASSERT_TRUE(cloud->open());
  const Status found = cloud->store().verify_mirror(cloud->id(1), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), Errc::kCorrupt);
  EXPECT_TRUE(eventually([&] { return !cloud->current(1); }));
  // The one to copy from lies too, and is given up for the one that does not.
  const Status first = cloud->store().add_mirror(cloud->id(1), {});
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error(), Errc::kUnavailable);
  EXPECT_TRUE(eventually([&] { return !cloud->current(0); }));
  ASSERT_TRUE(cloud->store().add_mirror(cloud->id(1), {}));
  ASSERT_TRUE(cloud->store().remove_mirror(cloud->id(2)));
  for (const Way& way : ways()) way.read(*cloud);
}

// Where no other mirror has better, redundancy is worth more than a record that is lost anyway.
TEST(ForgedRecordsAtRest, DoNotKeepTheLastMirrorFromBeingCopied) {
  TestCloud cloud(2, 1);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k0", "value 0"));
  ASSERT_TRUE(cloud.put("k1", "value 1"));
  cloud.close();
  {
    Forger forger(cloud.root(0));
    forger.put(Space::kRecords, "k0", forger.stored(Space::kRecords, "k1"));
  }
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(1), {}));
  EXPECT_EQ(cloud.read("k1"), "value 1");
}

}  // namespace
}  // namespace andromede::meta
