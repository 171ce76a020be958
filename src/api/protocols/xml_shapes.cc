#include "api/protocols/xml_shapes.h"

#include <algorithm>

namespace andromede::api::protocols {

Status XmlNode::structure() const {
  if (element_->text.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  return fail(ShapeErrc::kInvalid, path_ + " holds text, where only elements can be");
}

XmlNode XmlNode::member(std::string_view name) const {
  return {element_, element_->child(name), path_.empty() ? std::string(name) : path_ + "." + std::string(name)};
}

Result<std::vector<XmlNode>> XmlNode::elements(bool flattened, std::string_view name) const {
  if (!flattened) CHECK_OK(structure());
  const codec::XmlElement* const holder = flattened ? parent_ : element_;
  const std::string_view wanted = flattened ? std::string_view(element_->name) : name;
  std::vector<XmlNode> nodes;
  for (const codec::XmlElement& child : holder->children) {
    if (child.name != wanted) {
      if (flattened) continue;
      return fail(ShapeErrc::kInvalid,
                  path_ + " holds " + child.name.substr(0, 100) + ", where only " + std::string(wanted) + " can be");
    }
    if (nodes.size() == kMaxElements) return fail(ShapeErrc::kInvalid, path_ + " has too many elements");
    std::string path = flattened ? path_ : path_ + "." + std::string(wanted);
    path.append(".").append(std::to_string(nodes.size() + 1));
    nodes.push_back(XmlNode(nullptr, &child, std::move(path)));
  }
  return nodes;
}

Result<std::vector<XmlNode>> XmlNode::items(const Form& form) const { return elements(form.flattened, form.item); }

Result<std::vector<std::pair<std::string, XmlNode>>> XmlNode::entries(const Form& form) const {
  TRY(const std::vector<XmlNode> nodes, elements(form.flattened, "entry"));
  std::vector<std::pair<std::string, XmlNode>> entries;
  entries.reserve(nodes.size());
  for (const XmlNode& node : nodes) {
    const XmlNode key = node.member(form.key);
    if (!key.present()) return fail(ShapeErrc::kMissing, key.path() + " is missing");
    TRY(std::string text, key.text());
    entries.emplace_back(std::move(text), node.member(form.value));
  }
  return entries;
}

Result<std::string> XmlNode::text() const {
  if (!element_->children.empty()) return fail(ShapeErrc::kInvalid, path_ + " holds elements, where only text can be");
  const auto named_alike = [this](const codec::XmlElement& other) { return other.name == element_->name; };
  if (parent_ != nullptr && std::count_if(parent_->children.begin(), parent_->children.end(), named_alike) > 1) {
    return fail(ShapeErrc::kInvalid, path_ + " is there twice");
  }
  return element_->text;
}

}  // namespace andromede::api::protocols
