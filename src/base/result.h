// Result<T>: a value or an Error, the way every fallible call in Andromède answers.
//
// Each module declares a closed `enum class XErrc` with a std::error_category (see make_errc below); a front end turns
// those into wire errors in one place. The message is for people: what was wrong and what would be right. It must
// never hold a secret. Exceptions are caught where third-party code throws them and become Errors there.
#pragma once

#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace andromede {

// Codes that mean the same in every module.
enum class Errc {
  kInternal = 1,     // an invariant did not hold; a defect of ours
  kInvalidArgument,  // the caller passed what can never be right
  kNotFound,         //
  kAlreadyExists,    //
  kConflict,         // an expectation about current state did not hold; reading again and retrying may succeed
  kCorrupt,          // stored or received bytes fail their checksum or format
  kIo,               // a drive or the network failed
  kNoSpace,          // nothing was written; what is stored stays readable
  kTimeout,          // a Deadline passed
  kCancelled,        // the process is stopping, or the peer went away
  kOverloaded,       // a named bound (queue, connections) is reached; try later
  kUnavailable,      // too few drives or mirrors are online for the demand
  kNotBegun,         // as kUnavailable, kTimeout or kCancelled, and certainly nothing was begun
  kRefused,          // a policy forbids it; the message names the constraint and what would satisfy it
  kUnsupported,      // understood, and not offered
};

const std::error_category& errc_category() noexcept;
inline std::error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), errc_category()}; }

class Error {
 public:
  Error(std::error_code code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  // "module: code: message", for logs.
  [[nodiscard]] std::string describe() const;
  // The same error with where it happened put in front of its message.
  [[nodiscard]] Error in(std::string_view context) const;

  friend bool operator==(const Error& error, Errc code) noexcept { return error.code_ == make_error_code(code); }

 private:
  std::error_code code_;
  std::string message_;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// return fail(Errc::kNotFound, "no bucket named x");
template <typename Code>
[[nodiscard]] tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error(make_error_code(code), std::move(message)));
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace andromede

template <>
struct std::is_error_code_enum<andromede::Errc> : std::true_type {};

#define ANDROMEDE_CONCAT_(a, b) a##b
#define ANDROMEDE_CONCAT(a, b) ANDROMEDE_CONCAT_(a, b)

// TRY(auto x, fallible()): declares x from the value, or returns the Error from the enclosing function.
#define TRY(decl, ...) TRY_IMPL_(ANDROMEDE_CONCAT(try_result_, __LINE__), return, decl, __VA_ARGS__)
// CO_TRY(auto x, co_await fallible()): the same inside a coroutine.
#define CO_TRY(decl, ...) TRY_IMPL_(ANDROMEDE_CONCAT(try_result_, __LINE__), co_return, decl, __VA_ARGS__)
#define TRY_IMPL_(tmp, ret, decl, ...)                                        \
  auto tmp = (__VA_ARGS__);                                                   \
  if (!tmp) ret ::tl::unexpected<::andromede::Error>(std::move(tmp).error()); \
  decl = std::move(*tmp)

// CHECK_OK(status()): returns the Error of a Status that failed. CO_CHECK_OK inside a coroutine.
#define CHECK_OK(...) CHECK_OK_IMPL_(ANDROMEDE_CONCAT(try_status_, __LINE__), return, __VA_ARGS__)
#define CO_CHECK_OK(...) CHECK_OK_IMPL_(ANDROMEDE_CONCAT(try_status_, __LINE__), co_return, __VA_ARGS__)
#define CHECK_OK_IMPL_(tmp, ret, ...) \
  if (auto tmp = (__VA_ARGS__); !tmp) ret ::tl::unexpected<::andromede::Error>(std::move(tmp).error())
