#include "codec/xml.h"

#include <algorithm>
#include <cctype>
#include <pugixml.hpp>

#include "base/check.h"

namespace andromede::codec {
namespace {

tl::unexpected<Error> refuse_document(const std::string& reason) {
  return fail(Errc::kInvalidArgument, "XML: " + reason);
}

// Bytes of the UTF-8 sequence at the start of `text` when it is well-formed and encodes a character that XML 1.0 allows
// (Extensible Markup Language 1.0, section 2.2); else 0.
std::size_t character_size(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 || lead == '\t' || lead == '\n' || lead == '\r' ? 1 : 0;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const std::uint8_t second = byte(1);
  if (lead == 0xE0 && second < 0xA0) return 0;                      // overlong
  if (lead == 0xED && second > 0x9F) return 0;                      // surrogates
  if (lead == 0xF0 && second < 0x90) return 0;                      // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;                      // beyond U+10FFFF
  if (lead == 0xEF && second == 0xBF && byte(2) >= 0xBE) return 0;  // U+FFFE, U+FFFF
  return size;
}

bool all_characters_allowed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// A reference, "&amp;" or "&#x20;", at the start of `text`: its size, 0 when it is not one of the five entities or does
// not name a character that may stand in a document. Control characters may be written as references: names of objects
// hold them, and clients send them so. U+0000 may not: it would cut the text short.
std::size_t reference_size(std::string_view text) {
  constexpr std::size_t kMaxReferenceBytes = 12;
  const std::size_t end = text.substr(0, kMaxReferenceBytes).find(';');
  if (end == std::string_view::npos) return 0;
  std::string_view name = text.substr(1, end - 1);
  for (const char* known : {"amp", "lt", "gt", "quot", "apos"}) {
    if (name == known) return end + 1;
  }
  if (name.size() < 2 || name[0] != '#') return 0;
  const bool hexadecimal = name[1] == 'x';
  name.remove_prefix(hexadecimal ? 2 : 1);
  if (name.empty()) return 0;
  std::uint32_t code = 0;
  for (const char digit : name) {
    const auto byte = static_cast<unsigned char>(digit);
    if (hexadecimal ? std::isxdigit(byte) == 0 : std::isdigit(byte) == 0) return 0;
    const int value = std::isdigit(byte) != 0 ? digit - '0' : std::tolower(byte) - 'a' + 10;
    code = code * (hexadecimal ? 16 : 10) + static_cast<std::uint32_t>(value);
    if (code > 0x10FFFF) return 0;
  }
  const bool allowed = code != 0 && (code < 0xD800 || code > 0xDFFF) && code != 0xFFFE && code != 0xFFFF;
  return allowed ? end + 1 : 0;
}

// "<?xml … encoding="…"?>": everything is read as UTF-8, so no other encoding may be claimed.
bool declares_utf8(std::string_view instruction) {
  const std::size_t at = instruction.find("encoding");
  if (!instruction.starts_with("<?xml") || at == std::string_view::npos) return true;
  const std::size_t open = instruction.find_first_of("\"'", at);
  if (open == std::string_view::npos) return false;
  const std::size_t close = instruction.find(instruction[open], open + 1);
  if (close == std::string_view::npos) return false;
  std::string name(instruction.substr(open + 1, close - open - 1));
  for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return name == "utf-8" || name == "utf8" || name == "us-ascii";
}

// Whether the tag at the start of `text` ends before another '<', which may not stand in one, quoted or not (XML 1.0,
// section 3.1). pugixml reads a quoted one as text, and would see what looks like the inside of a comment from there
// on.
bool is_clean_tag(std::string_view text) {
  char quote = '\0';
  for (const char c : text.substr(1)) {
    if (c == '<') return false;
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return true;
    }
  }
  return false;
}

// What pugixml would let pass or pay for before a limit could stop it: DOCTYPE, unknown entities, too many elements.
// Answers where the construct at `text`, which begins with '<' or '&', may be left; 0 when it must be refused.
std::size_t after_markup(std::string_view text, std::size_t& elements) {
  // The end is looked for behind the opener, whose own characters could be taken for it.
  const auto past = [text](std::string_view opener, std::string_view end) {
    const std::size_t at = text.find(end, opener.size());
    return at == std::string_view::npos ? text.size() : at + end.size();
  };
  if (text[0] == '&') return reference_size(text);
  // "<!-->" ends a comment for HTML and for some XML parsers, and not for others.
  if (text.starts_with("<!-->") || text.starts_with("<!--->")) return 0;
  if (text.starts_with("<!--")) return past("<!--", "-->");
  if (text.starts_with("<![CDATA[")) return past("<![CDATA[", "]]>");
  if (text.starts_with("<!")) return 0;
  if (text.starts_with("<?")) {
    const std::size_t end = past("<?", "?>");
    return declares_utf8(text.substr(0, end)) ? end : 0;
  }
  if (!text.starts_with("</")) ++elements;
  return is_clean_tag(text) ? 1 : 0;
}

Status check_markup(std::string_view document, const XmlLimits& limits) {
  std::size_t elements = 0;
  for (std::size_t at = 0; (at = document.find_first_of("<&", at)) != std::string_view::npos;) {
    const std::size_t skip = after_markup(document.substr(at), elements);
    if (skip == 0) {
      return refuse_document(
          "a document type, a malformed comment or tag, an unknown entity or another encoding near byte " +
          std::to_string(at));
    }
    if (elements > limits.elements)
      return refuse_document("more than " + std::to_string(limits.elements) + " elements");
    at += skip;
  }
  return {};
}

bool is_text(const pugi::xml_node& node) { return node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata; }

// The name behind the prefix (Namespaces in XML 1.0, section 4: at most one colon, something on both sides).
Result<std::string> local_name(std::string_view name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return std::string(name);
  const std::string_view local = name.substr(colon + 1);
  const bool starts_well = !local.empty() && (std::isalpha(static_cast<unsigned char>(local[0])) != 0 ||
                                              local[0] == '_' || static_cast<unsigned char>(local[0]) >= 0x80);
  if (colon == 0 || !starts_well || local.find(':') != std::string_view::npos)
    return refuse_document("a malformed name");
  return std::string(local);
}

Result<XmlElement> read_element(const pugi::xml_node& node, unsigned depth_left) {
  if (depth_left == 0) return refuse_document("elements are nested too deeply");
  XmlElement element;
  TRY(element.name, local_name(node.name()));
  for (const pugi::xml_node& child : node.children()) {
    if (is_text(child)) {
      element.text += child.value();
    } else if (child.type() == pugi::node_element) {
      TRY(auto inner, read_element(child, depth_left - 1));
      element.children.push_back(std::move(inner));
    }
  }
  return element;
}

bool is_white(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [child_name](const XmlElement& element) { return element.name == child_name; });
  return found == children.end() ? nullptr : &*found;
}

std::string_view XmlElement::child_text(std::string_view child_name) const {
  const XmlElement* const found = child(child_name);
  return found == nullptr ? std::string_view() : std::string_view(found->text);
}

Result<XmlElement> parse_xml(std::string_view document, const XmlLimits& limits) {
  if (document.size() > limits.bytes) return refuse_document("larger than " + std::to_string(limits.bytes) + " bytes");
  if (document.starts_with("\xEF\xBB\xBF")) document.remove_prefix(3);
  if (!all_characters_allowed(document))
    return refuse_document("not UTF-8, or a character that XML 1.0 does not allow");
  CHECK_OK(check_markup(document, limits));
  pugi::xml_document parsed;
  // parse_fragment keeps text outside the root, so that it can be refused.
  constexpr unsigned kFlags =
      pugi::parse_cdata | pugi::parse_escapes | pugi::parse_eol | pugi::parse_ws_pcdata | pugi::parse_fragment;
  const auto result = parsed.load_buffer(document.data(), document.size(), kFlags, pugi::encoding_utf8);
  if (!result) {
    return refuse_document(std::string("malformed near byte ") + std::to_string(result.offset) + ": " +
                           result.description());
  }
  pugi::xml_node root;
  for (const pugi::xml_node& node : parsed.children()) {
    if (is_text(node) && !is_white(node.value())) return refuse_document("text outside the root element");
    if (node.type() != pugi::node_element) continue;
    if (!root.empty()) return refuse_document("more than one root element");
    root = node;
  }
  if (root.empty()) return refuse_document("no element");
  return read_element(root, limits.depth);
}

XmlWriter::XmlWriter() : out_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") {}

void XmlWriter::open(std::string_view name, std::string_view xmlns) {
  out_ += '<';
  out_ += name;
  if (!xmlns.empty()) {
    out_ += " xmlns=\"";
    escape(xmlns);
    out_ += '"';
  }
  out_ += '>';
  open_.emplace_back(name);
}

void XmlWriter::close() {
  CHECK(!open_.empty(), "every close() has its open()");
  out_ += "</";
  out_ += open_.back();
  out_ += '>';
  open_.pop_back();
}

void XmlWriter::element(std::string_view name, std::string_view text) {
  if (text.empty()) return empty(name);
  out_ += '<';
  out_ += name;
  out_ += '>';
  escape(text);
  out_ += "</";
  out_ += name;
  out_ += '>';
}

void XmlWriter::empty(std::string_view name) {
  out_ += '<';
  out_ += name;
  out_ += "/>";
}

std::string XmlWriter::take() {
  while (!open_.empty()) close();
  return std::move(out_);
}

void XmlWriter::escape(std::string_view text) {
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find_first_of("&<>\"\r"), text.size());
    for (std::string_view piece = text.substr(0, plain); !piece.empty();) {
      const std::size_t size = character_size(piece);
      const auto byte = static_cast<std::uint8_t>(piece.front());
      if (size == 0 && byte > 0 && byte < 0x20) {
        out_ += "&#x";
        if (byte >= 0x10) out_ += '1';
        out_ += "0123456789ABCDEF"[byte & 0xFU];
        out_ += ';';
      } else if (size == 0) {
        out_ += "&#xFFFD;";
      } else {
        out_ += piece.substr(0, size);
      }
      piece.remove_prefix(std::max<std::size_t>(size, 1));
    }
    text.remove_prefix(plain);
    if (text.empty()) return;
    switch (text.front()) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      default:
        out_ += "&#13;";
        break;  // raw, a reader would turn it into a newline
    }
    text.remove_prefix(1);
  }
}

}  // namespace andromede::codec
