// XML: a strict reader with limits (no DTD, no entities beyond the five, bounded depth and size) on pugixml, and a
// streaming writer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace andromede::codec {

struct XmlLimits {
  std::size_t bytes = 2 << 20;
  unsigned depth = 16;
  std::size_t elements = 100'000;
};

// An element, its children in order; namespaces prefixes stripped, attributes dropped.
struct XmlElement {
  std::string name;
  std::string text;  // character data directly inside, trimmed of nothing
  std::vector<XmlElement> children;
  [[nodiscard]] const XmlElement* child(std::string_view child_name) const;
  // Text of the first child of that name; empty when there is none.
  [[nodiscard]] std::string_view child_text(std::string_view child_name) const;
};

// The root element. kInvalidArgument: not well-formed, a DOCTYPE, or beyond a limit.
Result<XmlElement> parse_xml(std::string_view document, const XmlLimits& limits = {});

// Appends to a string that it owns. Text is escaped; characters that XML 1.0 cannot hold become U+FFFD references.
class XmlWriter {
 public:
  XmlWriter();  // writes the declaration
  // Opens <name> (with the namespace attribute, when given); close() writes the matching end tag.
  void open(std::string_view name, std::string_view xmlns = {});
  void close();
  void element(std::string_view name, std::string_view text);
  void element(std::string_view name, std::uint64_t number);
  void element(std::string_view name, bool value);
  void empty(std::string_view name);
  [[nodiscard]] std::string take();  // closes what is open

 private:
  void escape(std::string_view text);
  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace andromede::codec
