// XML: a strict reader with limits (no DTD, no entities beyond the five, bounded depth and size) on pugixml, and a
// streaming writer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
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

// The root element. kInvalidArgument: not well-formed, not UTF-8, a DOCTYPE, an unknown entity, or beyond a limit.
Result<XmlElement> parse_xml(std::string_view document, const XmlLimits& limits = {});

// Appends to a string that it owns. Text is escaped. Of what XML 1.0 cannot hold, control characters become references
// ("&#x1;"), which S3 writes and its clients look for, and the rest, with U+0000, references to U+FFFD.
class XmlWriter {
 public:
  XmlWriter();  // writes the declaration
  // Opens <name> (with the namespace attribute, when given); close() writes the matching end tag.
  void open(std::string_view name, std::string_view xmlns = {});
  void close();
  void element(std::string_view name, std::string_view text);
  // So that a pointer never becomes a number or a flag.
  void element(std::string_view name, const char* text) { element(name, std::string_view(text)); }
  void element(std::string_view name, const std::string& text) { element(name, std::string_view(text)); }
  template <typename Number>
    requires(std::is_integral_v<Number> && !std::is_same_v<Number, bool>)
  void element(std::string_view name, Number number) {
    element(name, std::to_string(number));
  }
  template <typename Bool>
    requires std::is_same_v<Bool, bool>
  void element(std::string_view name, Bool value) {
    element(name, std::string_view(value ? "true" : "false"));
  }
  void empty(std::string_view name);
  [[nodiscard]] std::string take();  // closes what is open

 private:
  void escape(std::string_view text);
  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace andromede::codec
