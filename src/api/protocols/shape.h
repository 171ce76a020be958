// Shapes: what an operation takes and gives, described once for every protocol that may carry it.
//
//   struct Tag {
//     std::string key;
//     std::optional<std::string> value;
//     static void members(auto& self, auto& visit) {
//       visit("Key", self.key);
//       visit("Value", self.value);
//     }
//   };
//
// A member is a text, a number, a truth value, bytes, a time, another shape, a list (std::vector) or a map
// (std::map<std::string, T>) of these; std::optional where it may be absent. Lists and maps may always be absent: they
// are empty then. read_awsquery() and the others visit members with what a client sent, render_*() with what it gets.
// The terms are Smithy's (AWS protocols, smithy.io).
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace andromede::api::protocols {

// What is wrong with what a client sent. The message names the member: "Tags.member.2.Key".
enum class ShapeErrc {
  kMalformed = 1,  // it is not of the protocol at all
  kMissing,        // a member that must be there is not
  kInvalid,        // a member is of another type, or beyond a limit
};

const std::error_category& shape_category() noexcept;
inline std::error_code make_error_code(ShapeErrc code) noexcept { return {static_cast<int>(code), shape_category()}; }

// How a time is written. kDefault: as the protocol has it, ISO 8601 in XML and forms, seconds since 1970 in JSON.
enum class TimeFormat : std::uint8_t { kDefault, kDateTime, kEpochSeconds, kHttpDate };

// Where a protocol leaves a member a choice (the traits xmlFlattened, xmlName and timestampFormat). JSON knows the last
// alone.
struct Form {
  bool flattened = false;  // a list's or map's elements stand where it would stand itself
  std::string_view item = "member";
  std::string_view key = "key";
  std::string_view value = "value";
  TimeFormat time = TimeFormat::kDefault;
};

// Beyond these, kInvalid: of what any operation takes, a client that sends more is mistaken, or worse.
inline constexpr std::size_t kMaxElements = 10'000;  // of one list or map
inline constexpr unsigned kMaxNesting = 16;          // shapes, lists and maps in one another

// A visitor that has nothing to do: what tells a shape from other types.
struct NoVisitor {
  void operator()(std::string_view /*name*/, const auto& /*member*/, const Form& /*form*/ = {}) {}
};
template <typename T>
concept Shape = requires(const T& shape, NoVisitor& visit) { T::members(shape, visit); };

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <typename T>
inline constexpr bool kIsList = false;
template <typename T>
  requires(!std::same_as<T, std::uint8_t>)
inline constexpr bool kIsList<std::vector<T>> = true;
template <typename T>
inline constexpr bool kIsMap = false;
template <typename T>
inline constexpr bool kIsMap<std::map<std::string, T>> = true;
template <typename T>
concept Whole = std::integral<T> && !std::same_as<T, bool>;

}  // namespace andromede::api::protocols

template <>
struct std::is_error_code_enum<andromede::api::protocols::ShapeErrc> : std::true_type {};
