#include "objects/unfinished.h"

#include <gtest/gtest.h>

#include <vector>

namespace andromede::objects {
namespace {

constexpr UnfinishedLimits kLimits{};

using Entries = std::vector<std::unique_ptr<Unfinished::Entry>>;

Sender sender(const std::string& account, const std::string& peer) { return {AccountId(account), peer}; }

TEST(Unfinished, AnAccountHasSoManyBodiesUnderWay) {
  Unfinished all(kLimits);
  Entries entries;
  for (std::uint64_t i = 0; i < kLimits.bodies_of_account; ++i) {
    auto entry = all.begin(sender("a", "peer-" + std::to_string(i)), 100);
    ASSERT_TRUE(entry) << entry.error().describe();
    entries.push_back(*std::move(entry));
  }
  const auto refused = all.begin(sender("a", "another"), 100);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kOverloaded);
  EXPECT_NE(refused.error().message().find(std::to_string(kLimits.bodies_of_account)), std::string::npos);
  EXPECT_TRUE(all.begin(sender("b", "another"), 100));
  entries.pop_back();
  EXPECT_TRUE(all.begin(sender("a", "another"), 100));
}

TEST(Unfinished, APeerHasSoManyBodiesUnderWayWhateverAccountsItSignsFor) {
  Unfinished all(kLimits);
  Entries entries;
  for (std::uint64_t i = 0; i < kLimits.bodies_of_peer; ++i) {
    auto entry = all.begin(sender("account-" + std::to_string(i % 7), "peer"), 100);
    ASSERT_TRUE(entry) << entry.error().describe();
    entries.push_back(*std::move(entry));
  }
  EXPECT_EQ(all.begin(sender("b", "peer"), 100).error(), Errc::kOverloaded);
  EXPECT_TRUE(all.begin(sender("b", "another"), 100));
}

TEST(Unfinished, OnePeerHoldsNoMoreThanTheHalfOfAnAccountsShare) {
  Unfinished all(kLimits);
  Entries entries;
  for (std::uint64_t i = 0; i < kLimits.bodies_of_account / 2; ++i) {
    auto entry = all.begin(sender("a", "peer"), 100);
    ASSERT_TRUE(entry) << entry.error().describe();
    entries.push_back(*std::move(entry));
  }
  EXPECT_EQ(all.begin(sender("a", "peer"), 100).error(), Errc::kOverloaded);
  EXPECT_TRUE(all.begin(sender("a", "another"), 100));
  EXPECT_TRUE(all.begin(sender("b", "peer"), 100));
  entries.clear();
  auto large = all.begin(sender("a", "peer"), 100);
  ASSERT_TRUE(large);
  (*large)->arrived(kLimits.bytes_of_account / 2);
  EXPECT_EQ(all.begin(sender("a", "peer"), 100).error(), Errc::kOverloaded);
  EXPECT_TRUE(all.begin(sender("a", "another"), 100));
}

TEST(Unfinished, BytesCountAsTheyArriveAndWhatIsAnnouncedUpToWhatIsReserved) {
  Unfinished all(kLimits);
  Entries entries;
  const std::uint64_t five_gib = 5ULL << 30;
  for (std::uint64_t bytes = 0; bytes + five_gib <= kLimits.bytes_of_account; bytes += five_gib) {
    auto entry = all.begin(sender("a", "peer-" + std::to_string(bytes)), five_gib);
    ASSERT_TRUE(entry) << entry.error().describe();
    entries.push_back(*std::move(entry));
  }
  EXPECT_TRUE(all.begin(sender("a", "peer"), five_gib)) << "nothing arrived";
  for (auto& entry : entries) {
    entry->arrived(five_gib - 1);
    entry->arrived(five_gib);
  }
  auto last = all.begin(sender("a", "peer"), five_gib);
  ASSERT_TRUE(last);
  (*last)->arrived(kLimits.bytes_of_account % five_gib);
  EXPECT_EQ(all.begin(sender("a", "another"), 1).error(), Errc::kOverloaded);
  EXPECT_TRUE(all.begin(sender("b", "peer"), 1));
  entries.clear();
  EXPECT_TRUE(all.begin(sender("a", "another"), 1));
}

}  // namespace
}  // namespace andromede::objects
