#include "base/log.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace andromede
