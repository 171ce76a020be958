// Tables for people.
#pragma once

#include <string>
#include <vector>

namespace andromede::app {

using Row = std::vector<std::string>;

// Prints rows of equally many columns, the first as the heading.
void print_table(const std::vector<Row>& rows);

}  // namespace andromede::app
