#include "net/response_writer.h"

#include <openssl/crypto.h>

#include <array>
#include <charconv>

#include "net/response_head.h"

namespace andromede::net {
namespace {

void append_chunk_size(std::string& out, std::size_t size) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, size, 16);
  out.append(digits, end);
  out += "\r\n";
}

}  // namespace

Task<Status> ResponseWriter::respond(ResponseHead head, std::string body, bool keep_alive) {
  if (started()) co_return fail(Errc::kInternal, "a response was started already");
  bodiless_ = rules_.head_request || status_forbids_body(head.status);
  ResponseFraming framing;
  // 204 has no length (RFC 9110 section 8.6); that of 304 would be the length of what is not sent.
  if (!status_forbids_body(head.status)) framing.content_length = body.size();
  framing.keep_alive = keep_alive_ = keep_alive;
  framing.http_1_0 = rules_.http_1_0;
  append_response_head(pending_, head, framing, stream_.loop().http_date());
  state_ = State::kStreaming;
  std::array<ByteView, 2> pieces{as_bytes(pending_), bodiless_ ? ByteView{} : as_bytes(body)};
  const Status sent = co_await stream_.write(pieces, pace_);
  if (rules_.confidential) OPENSSL_cleanse(body.data(), body.size());
  CO_CHECK_OK(sent);
  state_ = State::kComplete;
  co_return Status{};
}

Task<Status> ResponseWriter::start(ResponseHead head, std::optional<std::uint64_t> content_length, bool keep_alive) {
  if (started()) co_return fail(Errc::kInternal, "a response was started already");
  bodiless_ = rules_.head_request || status_forbids_body(head.status);
  ResponseFraming framing;
  if (head.status != 204) framing.content_length = content_length;
  left_ = content_length;
  chunked_ = !content_length && !bodiless_ && !rules_.http_1_0;
  // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
  const bool ends_with_connection = !content_length && !bodiless_ && rules_.http_1_0;
  framing.chunked = chunked_;
  framing.keep_alive = keep_alive_ = keep_alive && !ends_with_connection;
  framing.http_1_0 = rules_.http_1_0;
  append_response_head(pending_, head, framing, stream_.loop().http_date());
  state_ = State::kStreaming;
  co_return Status{};
}

Status ResponseWriter::check_write(ByteView data) const {
  if (state_ != State::kStreaming) return fail(Errc::kInternal, "no response is being streamed");
  if (!bodiless_ && left_ && data.size() > *left_) {
    return fail(Errc::kInternal, "the response is longer than announced");
  }
  return {};
}

Task<Status> ResponseWriter::write(ByteView data) {
  CO_CHECK_OK(check_write(data));
  if (data.empty() || bodiless_) co_return Status{};
  if (left_) *left_ -= data.size();
  if (chunked_) append_chunk_size(pending_, data.size());
  std::array<ByteView, 2> pieces{as_bytes(pending_), data};
  CO_CHECK_OK(co_await stream_.write(pieces, pace_));
  pending_ = chunked_ ? "\r\n" : "";
  co_return Status{};
}

Task<Result<std::size_t>> ResponseWriter::write_some(ByteView data) {
  if (chunked_ || bodiless_) {
    // A chunk whose size was told is sent whole.
    CO_CHECK_OK(co_await write(data));
    co_return data.size();
  }
  CO_CHECK_OK(check_write(data));
  std::array<ByteView, 2> pieces{as_bytes(pending_), data};
  CO_CHECK_OK(co_await stream_.write_some(pieces, pace_));
  const std::size_t taken = data.size() - pieces[1].size();
  pending_.erase(0, pending_.size() - pieces[0].size());
  if (left_) *left_ -= taken;
  co_return taken;
}

Task<Status> ResponseWriter::finish() {
  if (state_ != State::kStreaming) co_return fail(Errc::kInternal, "no response is being streamed");
  if (left_.value_or(0) > 0 && !bodiless_) co_return fail(Errc::kInternal, "the response is shorter than announced");
  if (chunked_) pending_ += "0\r\n\r\n";
  std::array<ByteView, 1> pieces{as_bytes(pending_)};
  CO_CHECK_OK(co_await stream_.write(pieces, pace_));
  state_ = State::kComplete;
  co_return Status{};
}

}  // namespace andromede::net
