// Reader: visits a shape's members with what stands at a place of a document. What a place is, a protocol says (`Node`:
// FormNode, JsonNode, XmlNode):
//
//   bool present() const;                      // something was sent there
//   const std::string& path() const;           // "Tags.member.2.Key", for messages
//   Status structure() const;                  // whether it can have members
//   Node member(std::string_view name) const;
//   Result<std::vector<Node>> items(const Form&) const;                             // of a list
//   Result<std::vector<std::pair<std::string, Node>>> entries(const Form&) const;   // of a map
//   Result<std::string> text() const;   Result<bool> boolean() const;   Result<std::int64_t> integer() const;
//   Result<double> number() const;      Result<Timestamp> time(TimeFormat) const;
//
// Nodes borrow the document.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/protocols/shape.h"
#include "base/bytes.h"

namespace andromede::api::protocols {

template <typename Node>
class Reader {
 public:
  explicit Reader(Node node, unsigned depth = 0) : node_(std::move(node)), depth_(depth) {}

  template <typename T>
  void operator()(std::string_view name, T& member, const Form& form = {}) {
    if (status_) status_ = read(node_.member(name), member, form);
  }

  // ShapeErrc: the first member that is wrong.
  [[nodiscard]] Status take() { return std::move(status_); }

 private:
  template <typename T>
  Status read(const Node& node, T& member, const Form& form) {
    if constexpr (kIsOptional<T>) {
      member.reset();
      return node.present() ? read(node, member.emplace(), form) : Status();
    } else if constexpr (kIsList<T>) {
      return read_list(node, member, form);
    } else if constexpr (kIsMap<T>) {
      return read_map(node, member, form);
    } else {
      if (!node.present()) return fail(ShapeErrc::kMissing, node.path() + " is missing");
      return read_one(node, member, form);
    }
  }

  template <typename T>
  Status read_one(const Node& node, T& member, const Form& form) {
    if constexpr (Shape<T>) {
      if (depth_ == kMaxNesting) return fail(ShapeErrc::kInvalid, node.path() + " is nested too deeply");
      CHECK_OK(node.structure());
      Reader inside(node, depth_ + 1);
      T::members(member, inside);
      return inside.take();
    } else if constexpr (std::same_as<T, Bytes>) {
      TRY(const std::string text, node.text());
      Result<Bytes> bytes = from_base64(text);
      if (!bytes) return fail(ShapeErrc::kInvalid, node.path() + " is not base64");
      member = *std::move(bytes);
      return {};
    } else if constexpr (std::same_as<T, bool>) {
      return take_into(member, node.boolean());
    } else if constexpr (std::same_as<T, Timestamp>) {
      return take_into(member, node.time(form.time));
    } else if constexpr (std::same_as<T, double>) {
      return take_into(member, node.number());
    } else if constexpr (Whole<T>) {
      TRY(const std::int64_t value, node.integer());
      if (!std::in_range<T>(value)) return fail(ShapeErrc::kInvalid, node.path() + " is out of range");
      member = static_cast<T>(value);
      return {};
    } else {
      static_assert(std::same_as<T, std::string>, "no member can be of this type");
      return take_into(member, node.text());
    }
  }

  template <typename T>
  static Status take_into(T& member, Result<T> value) {
    if (!value) return tl::unexpected(std::move(value.error()));
    member = *std::move(value);
    return {};
  }

  template <typename T>
  Status read_list(const Node& node, T& list, const Form& form) {
    list.clear();
    if (!node.present()) return {};
    TRY(const std::vector<Node> items, node.items(form));
    list.reserve(items.size());
    for (const Node& item : items) {
      typename T::value_type one{};
      CHECK_OK(read(item, one, Form{.time = form.time}));
      list.push_back(std::move(one));
    }
    return {};
  }

  template <typename T>
  Status read_map(const Node& node, T& map, const Form& form) {
    map.clear();
    if (!node.present()) return {};
    TRY(auto entries, node.entries(form));
    for (auto& [key, value] : entries) {
      const auto [place, is_new] = map.try_emplace(std::move(key));
      if (!is_new) return fail(ShapeErrc::kInvalid, value.path() + " is there twice");
      CHECK_OK(read(value, place->second, Form{.time = form.time}));
    }
    return {};
  }

  Node node_;
  unsigned depth_;
  Status status_;
};

// A shape from what stands at `node`. ShapeErrc.
template <Shape T, typename Node>
Result<T> read_shape(Node node) {
  T shape{};
  Reader<Node> reader(std::move(node));
  T::members(shape, reader);
  CHECK_OK(reader.take());
  return shape;
}

}  // namespace andromede::api::protocols
