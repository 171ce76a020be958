// parse_xml on any bytes: within its limits, and what it reads is read again the same once written.
#include "codec/xml.h"

#include <cstdint>
#include <cstdlib>

namespace {

using andromede::codec::XmlElement;

bool writable(const XmlElement& element) {
  for (const char c : element.text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
  }
  for (const XmlElement& child : element.children) {
    if (!writable(child)) return false;
  }
  return true;
}

void write(andromede::codec::XmlWriter& writer, const XmlElement& element) {
  if (element.children.empty()) return writer.element(element.name, element.text);
  writer.open(element.name);
  for (const XmlElement& child : element.children) write(writer, child);
  writer.close();
}

// Text beside children is not written: only what write() keeps is compared.
bool same(const XmlElement& a, const XmlElement& b) {
  if (a.name != b.name || a.children.size() != b.children.size()) return false;
  if (a.children.empty() && a.text != b.text) return false;
  for (std::size_t i = 0; i < a.children.size(); ++i) {
    if (!same(a.children[i], b.children[i])) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed =
      andromede::codec::parse_xml({reinterpret_cast<const char*>(data), size}, {.bytes = 1 << 16, .elements = 1000});
  // A control character that came as a reference has no form of its own to be written in.
  if (!parsed || !writable(*parsed)) return 0;
  andromede::codec::XmlWriter writer;
  write(writer, *parsed);
  const auto again = andromede::codec::parse_xml(writer.take());
  if (!again || !same(*parsed, *again)) std::abort();
  return 0;
}
