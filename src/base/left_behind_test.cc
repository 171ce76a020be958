#include "base/left_behind.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/test_eventually.h"

namespace andromede {
namespace {

TEST(LeftBehind, CountsWhatHasNotEnded) {
  ASSERT_EQ(left_behind(), 0U);
  std::promise<void> answers;
  leave_behind(std::thread([&] { answers.get_future().wait(); }));
  leave_behind(std::thread([] {}));
  EXPECT_TRUE(eventually([] { return left_behind() == 1; }));
  answers.set_value();
  EXPECT_TRUE(eventually([] { return left_behind() == 0; }));
}

}  // namespace
}  // namespace andromede
