// Shapes as XML, the protocol restXml's payloads and awsQuery's results (Smithy, "XML bindings").
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/protocols/reader.h"
#include "api/protocols/scalars.h"
#include "api/protocols/shape.h"
#include "base/result.h"
#include "codec/xml.h"

namespace andromede::api::protocols {

// An element, or where one would be.
class XmlNode : public TextScalars<XmlNode> {
 public:
  explicit XmlNode(const codec::XmlElement& root) : element_(&root) {}

  [[nodiscard]] bool present() const { return element_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Status structure() const;
  [[nodiscard]] XmlNode member(std::string_view name) const;
  [[nodiscard]] Result<std::vector<XmlNode>> items(const Form& form) const;
  [[nodiscard]] Result<std::vector<std::pair<std::string, XmlNode>>> entries(const Form& form) const;
  [[nodiscard]] Result<std::string> text() const;

 private:
  XmlNode(const codec::XmlElement* parent, const codec::XmlElement* element, std::string path)
      : parent_(parent), element_(element), path_(std::move(path)) {}
  // What stands for a list's or map's elements: this element's children, all named `name`, or where they are flattened
  // all elements of this one's name.
  [[nodiscard]] Result<std::vector<XmlNode>> elements(bool flattened, std::string_view name) const;

  const codec::XmlElement* parent_ = nullptr;
  const codec::XmlElement* element_ = nullptr;
  std::string path_;
};

// The payload of a request: an element named `root`. ShapeErrc.
template <Shape T>
Result<T> read_xml(std::string_view document, std::string_view root, const codec::XmlLimits& limits = {}) {
  const Result<codec::XmlElement> element = codec::parse_xml(document, limits);
  if (!element) return fail(ShapeErrc::kMalformed, element.error().message());
  if (element->name != root) return fail(ShapeErrc::kMalformed, "the document is no " + std::string(root));
  return read_shape<T>(XmlNode(*element));
}

// Visits members by writing them.
class XmlMembers {
 public:
  explicit XmlMembers(codec::XmlWriter& out) : out_(out) {}

  template <typename T>
  void operator()(std::string_view name, const T& member, const Form& form = {}) {
    if constexpr (kIsOptional<T>) {
      if (member) (*this)(name, *member, form);
    } else if constexpr (kIsList<T>) {
      if (!form.flattened) out_.open(name);
      for (const auto& item : member) (*this)(form.flattened ? name : form.item, item, Form{.time = form.time});
      if (!form.flattened) out_.close();
    } else if constexpr (kIsMap<T>) {
      if (!form.flattened) out_.open(name);
      for (const auto& [key, value] : member) {
        out_.open(form.flattened ? name : "entry");
        out_.element(form.key, key);
        (*this)(form.value, value, Form{.time = form.time});
        out_.close();
      }
      if (!form.flattened) out_.close();
    } else if constexpr (Shape<T>) {
      out_.open(name);
      T::members(member, *this);
      out_.close();
    } else if constexpr (std::same_as<T, Bytes>) {
      out_.element(name, to_base64(member));
    } else if constexpr (std::same_as<T, Timestamp>) {
      out_.element(name, format_time(member, form.time));
    } else if constexpr (std::same_as<T, double>) {
      out_.element(name, format_number(member));
    } else {
      out_.element(name, member);
    }
  }

 private:
  codec::XmlWriter& out_;
};

// Appends <name>, which holds the shape.
template <Shape T>
void write_xml(codec::XmlWriter& out, std::string_view name, const T& shape) {
  XmlMembers members(out);
  members(name, shape);
}

// The payload of an answer. `xmlns`: the service's, may be empty.
template <Shape T>
std::string render_xml(std::string_view root, std::string_view xmlns, const T& shape) {
  codec::XmlWriter out;
  out.open(root, xmlns);
  XmlMembers members(out);
  T::members(shape, members);
  return out.take();
}

}  // namespace andromede::api::protocols
