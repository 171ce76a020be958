// The table of operations, and the document that is printed from it.
#include "api/s3/operations.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace andromede::api::s3 {
namespace {

std::string request_of(const Match& match) {
  static constexpr std::string_view kPaths[] = {"/", "/BUCKET", "/BUCKET/KEY"};
  std::string text = "`";
  text.append(match.method).append(" ").append(kPaths[static_cast<std::size_t>(match.level)]);
  char separator = '?';
  const auto add = [&text, &separator](std::string_view part) {
    if (part.empty()) return;
    text += std::exchange(separator, '&');
    text.append(part);
  };
  add(match.subresource == kAnySubresource ? std::string_view() : match.subresource);
  add(match.parameter);
  if (!match.value.empty()) text.append("=").append(match.value);
  text += '`';
  if (!match.or_parameter.empty()) text.append(" or `").append(match.or_parameter).append("`");
  if (!match.header.empty()) text.append(" with `").append(match.header).append("`");
  return text;
}

std::string size_of(std::uint64_t bytes) {
  if (bytes == 0) return "";
  std::size_t unit = 0;
  for (; bytes >= 1024 && bytes % 1024 == 0 && unit < 3; ++unit) bytes /= 1024;
  static constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB"};
  return std::to_string(bytes) + " " + std::string(kUnits[unit]);
}

std::string_view word_of(Support support) {
  switch (support) {
    case Support::kOffered:
      return "yes";
    case Support::kUnset:
      return "as unset";
    case Support::kNotOffered:
      break;
  }
  return "no";
}

std::string document() {
  std::string text = R"(# S3's operations

Printed from the table that requests are routed by (`src/api/s3/operations.cc`); `ANDROMEDE_WRITE_DOCS=1` makes its test print it
anew. *As unset*: a feature that no bucket and no object has, answered as S3 answers where it was never set. *No*: 501
`NotImplemented`. Where S3's own documents and clients differ, [ADR 70](adr/0070-s3-dialect.md) says which is followed.

| operation | request | action | on | changes | body up to | here |
| --- | --- | --- | --- | --- | --- | --- |
)";
  for (const Operation& row : operations()) {
    if (row.match.method.empty()) continue;
    text.append("| ").append(row.is.name).append(" | ").append(request_of(row.match)).append(" | ");
    text.append(row.is.action).append(" | ").append(row.is.resource).append(" | ");
    text.append(row.is.access == edge::Access::kWrite ? "yes" : "").append(" | ");
    text.append(size_of(row.is.most_body_bytes)).append(" | ").append(word_of(row.support)).append(" |\n");
  }
  return text;
}

TEST(OperationsTest, TheDocumentSaysWhatTheTableSays) {
  const std::string path = std::string(ANDROMEDE_DOCS) + "/s3-operations.md";
  if (std::getenv("ANDROMEDE_WRITE_DOCS") != nullptr) std::ofstream(path) << document();
  std::ifstream file(path);
  const std::string written((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(written, document());
}

TEST(OperationsTest, EachHasItsNameItsActionAndWhatAnswersIt) {
  std::set<std::string_view> names;
  for (const Operation& row : operations()) {
    EXPECT_TRUE(names.insert(row.is.name).second) << row.is.name;
    EXPECT_NE(row.run, nullptr) << row.is.name;
    EXPECT_EQ(row.support == Support::kNotOffered, row.run == &not_implemented && !row.match.method.empty())
        << row.is.name;
    if (row.match.method.empty()) continue;
    EXPECT_TRUE(row.is.action.starts_with("s3:") || row.is.action.starts_with("s3express:")) << row.is.name;
    EXPECT_FALSE(row.is.resource.empty()) << row.is.name;
    EXPECT_FALSE(row.is.open_to_anybody) << row.is.name;
    const bool reads = row.match.method == "GET" || row.match.method == "HEAD";
    if (reads) EXPECT_EQ(row.is.access, edge::Access::kRead) << row.is.name;
  }
}

// Rows that come later and demand no more than an earlier one would never be found.
TEST(OperationsTest, EachIsFoundByWhatItIsKnownFor) {
  for (const Operation& row : operations()) {
    const Match& match = row.match;
    if (match.method.empty()) continue;
    net::RequestHead head{.method = std::string(match.method), .target = {}, .headers = {}, .peer_address = {}};
    if (!match.header.empty()) head.headers.add(std::string(match.header), "x");
    std::string raw(match.subresource == kAnySubresource ? "" : match.subresource);
    if (!match.parameter.empty()) raw.append("&").append(match.parameter).append("=").append(match.value);
    const auto query = net::Query::parse(raw);
    ASSERT_TRUE(query);
    EXPECT_EQ(find_operation(head, match.level, find_subresource(*query), *query)->is.name, row.is.name);
  }
}

}  // namespace
}  // namespace andromede::api::s3
