// Call: one request on its way, as its front door and its API share it. An API derives its own, which speaks its
// dialect: how its operation is found, who asks, what answers it, and how errors are told. Lives in the front end's
// frame for the time of the request; belongs to the connection's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/edge/operation.h"
#include "base/log.h"
#include "base/result.h"
#include "base/task.h"
#include "identity/context.h"
#include "net/http.h"

namespace andromede::api::edge {

// Of each field of a log line that a client chose.
inline constexpr std::size_t kMaxLoggedBytes = 1024;

// The first `limit` bytes of `text` or fewer, no UTF-8 character torn apart.
std::string_view cut(std::string_view text, std::size_t limit) noexcept;

class Call {
 public:
  // `exchange` is borrowed and outlives the call.
  Call(net::Exchange& exchange, identity::Listener listener, std::string id);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;

  [[nodiscard]] const std::string& id() const { return context_.request_id; }
  // Who asks; of nobody until admit().
  [[nodiscard]] const identity::Context& context() const { return context_; }
  [[nodiscard]] bool answered() const { return status_ != 0; }
  [[nodiscard]] unsigned status() const { return status_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  // The head as it was received.
  [[nodiscard]] const net::RequestHead& received_head() const { return exchange_.head(); }

  // Who asks is known: its connection is kept from here on.
  void admit(identity::Principal who);

  // --- the dialect, each called once, in this order
  // Finds the operation. What it cannot even look for fails.
  virtual Status find_operation() = 0;
  [[nodiscard]] virtual const Operation& operation() const = 0;
  [[nodiscard]] virtual std::size_t row() const = 0;  // of the operation, in its API's table
  // Who asks. Not asked where the operation is open to anybody. No byte of the body is read.
  virtual Result<identity::Principal> authenticate() = 0;
  // Answers, or returns the error to be told; one after the answer has begun is the connection's.
  virtual Task<Status> run() = 0;
  // Answers with an error.
  virtual Task<Status> answer_error(const Error& error) = 0;

  // Whether an error can still be told.
  [[nodiscard]] virtual bool can_tell_errors() const { return !answered(); }
  [[nodiscard]] virtual std::uint64_t body_bytes() const = 0;  // read of the body, decoded
  // What else a log line says; texts that a client chose are cut to kMaxLoggedBytes.
  virtual void describe(std::vector<LogField>& fields) const = 0;

 protected:
  net::Exchange& exchange_;
  unsigned status_ = 0;  // 0: not answered
  std::uint64_t bytes_sent_ = 0;

 private:
  identity::Context context_;
};

}  // namespace andromede::api::edge
