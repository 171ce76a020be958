// The table of operations, and the document that describes them.
#include "api/operator/operations.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace andromede::api {
namespace {

// Of a document's line: the text in its first column's backquotes.
std::vector<std::string> routes_of(const std::string& line) {
  std::vector<std::string> routes;
  const std::size_t end = line.find('|', 1);
  for (std::size_t open = line.find('`'); open < end; open = line.find('`', open + 1)) {
    const std::size_t close = line.find('`', open + 1);
    routes.push_back(line.substr(open + 1, close - open - 1));
    open = close;
  }
  return routes;
}

std::set<std::string> documented() {
  std::ifstream file(std::string(ANDROMEDE_DOCS) + "/formats/operator-api.md");
  std::set<std::string> found;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    for (const std::string& route : routes_of(line)) found.insert(route.substr(0, route.find('?')));
  }
  return found;
}

// "/v1/accounts/ID/keys", whatever the document calls what is named.
std::string with_name(std::string_view path, std::string_view name) {
  const std::size_t open = path.find('{');
  if (open == std::string_view::npos) return std::string(path);
  return std::string(path.substr(0, open)) + std::string(name) + std::string(path.substr(path.find('}') + 1));
}

TEST(OperatorOperationsTest, TheDocumentHasEachAndNoOther) {
  std::set<std::string> routes = documented();
  for (const OperatorOperation& row : operator_operations()) {
    if (row.method.empty()) continue;
    std::set<std::string> spellings;
    for (const char* name : {"N", "NAME", "ID", "KEY"}) spellings.insert(with_name(row.path, name));
    std::size_t found = 0;
    for (const std::string& path : spellings) found += routes.erase(std::string(row.method) + " " + path);
    EXPECT_EQ(found, 1U) << row.is.name;
  }
  for (const std::string& route : routes) ADD_FAILURE() << route << " is in the document, and in no row";
}

TEST(OperatorOperationsTest, EachIsFoundAndAnsweredByOneFunction) {
  std::set<std::string_view> names;
  for (const OperatorOperation& row : operator_operations()) {
    EXPECT_TRUE(names.insert(row.is.name).second) << row.is.name;
    if (row.method.empty()) continue;
    EXPECT_NE(row.run == nullptr, row.probe == nullptr) << row.is.name;
    EXPECT_EQ(row.is.open_to_anybody, row.probe != nullptr) << row.is.name;
    EXPECT_EQ(row.is.open_to_anybody, !row.is.action.starts_with("andromede:")) << row.is.name;
    if (row.method == "GET") EXPECT_EQ(row.is.access, edge::Access::kRead) << row.is.name;
    const RoutedPath routed = route_operator_path(row.method, with_name(row.path, "x"));
    EXPECT_EQ(routed.operation->is.name, row.is.name);
    EXPECT_EQ(routed.name, row.path.find('{') == std::string_view::npos ? "" : "x");
  }
}

}  // namespace
}  // namespace andromede::api
