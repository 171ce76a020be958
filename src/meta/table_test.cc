#include "meta/table.h"

#include <gtest/gtest.h>

#include "meta/memory/memory_store.h"

namespace andromede::meta {
namespace {

struct Ship {
  std::string port;
  bool operator==(const Ship&) const = default;
};

// All that a new kind of record takes.
struct ShipKind {
  using Record = Ship;
  static constexpr RecordMark kMark{'Y', 1, "ship"};
  static constexpr std::string_view kPrefix = "ship/";
  static void fields(auto& fields, auto& ship) { fields.text(ship.port, 20); }
};
using Ships = Table<ShipKind>;

class PlainSealer final : public LogSealer {
 public:
  Status restore(std::uint64_t, ByteView) override { return {}; }
  std::string seal(std::uint64_t, std::string_view event) override { return std::string(event); }
};

class TableTest : public testing::Test {
 protected:
  Status commit(Commit change) {
    change.partition = kCloudPartition;
    change.event = "a change of ships";
    const auto done = sync_wait(store_.commit(std::move(change), Deadline::never()));
    return done ? Status() : fail(done.error());
  }
  Status create(const std::string& name, const std::string& port) {
    Commit change;
    Ships::create(change, name, {port});
    return commit(std::move(change));
  }
  Status put(const std::string& key, const std::string& value) {
    Commit change;
    change.put.push_back({{Space::kRecords, key}, value});
    return commit(std::move(change));
  }
  Result<std::optional<Ships::Row>> get(const std::string& name) {
    return sync_wait(Ships::get(store_, name, Deadline::never()));
  }
  Result<std::vector<Ships::Row>> all(const std::string& begin = {}) {
    return sync_wait(Ships::all(store_, begin, Deadline::never()));
  }

  SystemClock clock_;
  PlainSealer sealer_;
  MemoryStore store_{sealer_, clock_, {}};
};

TEST_F(TableTest, RowsAreMadeReadReplacedAndRemovedUnlessSomebodyElseDid) {
  EXPECT_FALSE(*get("belem"));
  ASSERT_TRUE(create("belem", "Nantes"));
  EXPECT_EQ(create("belem", "Brest").error(), Errc::kConflict);
  const auto row = **get("belem");
  EXPECT_EQ(row.name, "belem");
  EXPECT_EQ(row.record.port, "Nantes");
  EXPECT_EQ(row.stored, Ships::row("belem", {"Nantes"}).stored);
  const Key at = Ships::key("belem");
  EXPECT_EQ(at.bytes, "ship/belem");
  EXPECT_EQ(**sync_wait(store_.get(kCloudPartition, at, Deadline::never())), row.stored);

  Commit change;
  Ships::replace(change, row, {"Brest"});
  ASSERT_TRUE(commit(change));
  EXPECT_EQ((**get("belem")).record.port, "Brest");
  // By the row as it was.
  EXPECT_EQ(commit(change).error(), Errc::kConflict);
  Commit removal;
  Ships::remove(removal, row);
  EXPECT_EQ(commit(removal).error(), Errc::kConflict);
  removal = {};
  Ships::remove(removal, **get("belem"));
  ASSERT_TRUE(commit(std::move(removal)));
  EXPECT_FALSE(*get("belem"));
  Commit absent;
  Ships::expect(absent, "belem", std::nullopt);
  Ships::put(absent, "recouvrance", {"Brest"});
  EXPECT_TRUE(commit(std::move(absent)));
  EXPECT_EQ(store_.last_sequence(), 4U);
}

TEST_F(TableTest, PagesAreInOrderAndOfTheTableAlone) {
  ASSERT_TRUE(put("ship", "below"));
  ASSERT_TRUE(put("ship0", "above"));
  for (const char* name : {"a/1", "a/2", "a/3", "b/1", "b/2"}) ASSERT_TRUE(create(name, name));
  const auto names = [&](const std::string& begin, const std::string& after, std::size_t limit) {
    const auto rows = sync_wait(Ships::page(store_, begin, after, limit, Deadline::never()));
    EXPECT_TRUE(rows);
    std::string all;
    for (const auto& row : *rows) {
      EXPECT_EQ(row.record.port, row.name);
      all += row.name + " ";
    }
    return all;
  };
  EXPECT_EQ(names("", "", 10), "a/1 a/2 a/3 b/1 b/2 ");
  EXPECT_EQ(names("", "", 2), "a/1 a/2 ");
  EXPECT_EQ(names("", "a/2", 2), "a/3 b/1 ");
  EXPECT_EQ(names("a/", "", 10), "a/1 a/2 a/3 ");
  EXPECT_EQ(names("a/", "a/2", 10), "a/3 ");
  EXPECT_EQ(names("c/", "", 10), "");
}

TEST_F(TableTest, AllAreReadHoweverManyPagesTheyAre) {
  for (std::size_t i = 0; i < Ships::kPageRows + 1;) {
    Commit change;
    for (const std::size_t end = i + 91; i < end; ++i) Ships::put(change, std::to_string(10'000 + i), {"x"});
    ASSERT_TRUE(commit(std::move(change)));
  }
  const auto rows = all();
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), Ships::kPageRows + 1);
  EXPECT_EQ(rows->back().name, std::to_string(10'000 + Ships::kPageRows));
  EXPECT_EQ(all("100")->size(), 100U);
}

TEST_F(TableTest, AnotherKindsRecordIsCorruptAndItsKeyToldReadably) {
  ASSERT_TRUE(put("ship/plain", "no ship"));
  EXPECT_EQ(get("plain").error(), Errc::kCorrupt);
  EXPECT_NE(get("plain").error().describe().find("ship/plain"), std::string::npos);
  const std::string id("\x01\xff", 2);
  ASSERT_TRUE(put("ship/" + id, "no ship"));
  EXPECT_NE(get(id).error().describe().find("ship/01ff"), std::string::npos) << get(id).error().describe();
  EXPECT_EQ(all().error(), Errc::kCorrupt);
}

}  // namespace
}  // namespace andromede::meta
