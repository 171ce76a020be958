#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>

namespace andromede {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(Log, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(quoted("a\"b\\c\n"), R"("a\"b\\c\u000a")");
  EXPECT_EQ(quoted("clé"), "\"clé\"");
  EXPECT_EQ(quoted("\xff\xc0\x80z"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

// What a LogThread writes, and who reads it when the test says so.
class LogThreadTest : public testing::Test {
 protected:
  LogThreadTest() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~LogThreadTest() override {
    for (const int end : ends_) ::close(end);
  }

  std::string read_some() const {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::read(ends_[0], buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  // All that was written so far.
  std::string read_all() {
    EXPECT_EQ(::fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
    std::string all;
    while (true) {
      const std::string some = read_some();
      if (some.empty()) return all;
      all += some;
    }
  }
  [[nodiscard]] int descriptor() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{};
};

TEST_F(LogThreadTest, WritesWholeLinesInTheirOrder) {
  {
    const LogThread thread(descriptor());
    log_info("first");
    log_error("second", {{"drive", "etat-1"}});
  }
  const std::string all = read_all();
  EXPECT_TRUE(all.starts_with(R"({"time":")")) << all;
  EXPECT_LT(all.find(R"("message":"first"})"
                     "\n"),
            all.find(R"("message":"second","drive":"etat-1"})"
                     "\n"));
}

// Such a reader once stopped every event loop.
TEST_F(LogThreadTest, WhoLogsDoesNotWaitForAReaderThatHasStopped) {
  std::optional<LogThread> thread(descriptor());
  const std::string filling(64 << 10, 'x');
  for (int i = 0; i < 1000; ++i) log_info(filling);
  log_warning("a drive is lost");
  std::string all;
  while (all.find("were dropped") == std::string::npos) all += read_some();
  EXPECT_NE(all.find("a drive is lost"), std::string::npos);
  EXPECT_LT(all.size(), 4U << 20);
  thread.reset();
}

TEST_F(LogThreadTest, AReaderThatHasStoppedKeepsNobodyFromEnding) {
  const auto began = std::chrono::steady_clock::now();
  {
    const LogThread thread(descriptor());
    for (int i = 0; i < 4; ++i) log_info(std::string(64 << 10, 'x'));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5 * LogThread::kPatience);
  // What it left behind goes on, and ends.
  std::string all;
  while (all.size() < 4U << 16) all += read_some();
}

}  // namespace
}  // namespace andromede
