#include "net/request_body.h"

#include <algorithm>
#include <array>

namespace andromede::net {

RequestBody::RequestBody(Stream& stream, InputBuffer& input, const RequestFraming& framing)
    : stream_(stream),
      input_(input),
      chunked_(framing.chunked),
      announced_(!framing.chunked),
      size_(framing.content_length),
      left_(framing.content_length),
      continue_due_(framing.expects_continue) {}

std::optional<std::uint64_t> RequestBody::announced_size_bytes() const {
  return announced_ ? std::optional(size_) : std::nullopt;
}

Task<Result<ByteView>> RequestBody::read() {
  if (failed_) co_return fail(*failed_);
  if (continue_due_) {
    continue_due_ = false;
    if (input_.empty()) {
      if (auto sent = co_await send_continue(); !sent) failed_ = sent.error();
    }
  }
  if (!failed_) {
    auto piece = co_await read_piece();
    co_await stretch_.pause_if_many();
    if (piece) co_return piece;
    failed_ = piece.error();
  }
  co_return fail(*failed_);
}

Task<Result<ByteView>> RequestBody::read_piece() { return chunked_ ? read_chunked() : read_sized(); }

Task<Status> RequestBody::send_continue() {
  std::array<ByteView, 1> pieces{as_bytes("HTTP/1.1 100 Continue\r\n\r\n")};
  Pace pace;
  co_return co_await stream_.write(pieces, pace);
}

Task<Status> RequestBody::receive(std::size_t wanted_bytes) {
  const SteadyTime began = stream_.loop().now();
  SteadyTime deadline = began + stream_.limits().io_timeout;
  if (drained_by_) {
    deadline = std::min(deadline, *drained_by_);
    wanted_bytes = std::min(wanted_bytes, InputBuffer::kSmallBytes);
  }
  CO_TRY(const std::size_t count, co_await input_.fill(wanted_bytes, deadline));
  if (count == 0) co_return fail(Errc::kCancelled, "the peer closed the connection before the end of the body");
  pace_.waited += stream_.loop().now() - began;
  pace_.bytes += count;
  co_return stream_.check(pace_);
}

Task<Result<ByteView>> RequestBody::read_sized() {
  if (left_ == 0) co_return ByteView{};
  if (input_.empty()) {
    CO_CHECK_OK(co_await receive(static_cast<std::size_t>(std::min<std::uint64_t>(left_, InputBuffer::kMostBytes))));
  }
  const ByteView received = input_.view();
  const ByteView piece = received.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, received.size())));
  input_.consume(piece.size());
  left_ -= piece.size();
  co_return piece;
}

Task<Result<ByteView>> RequestBody::read_chunked() {
  if (decoder_.done()) co_return ByteView{};
  for (;;) {
    if (input_.empty()) CO_CHECK_OK(co_await receive(InputBuffer::kMostBytes));
    ByteView rest = input_.view();
    const std::size_t before = rest.size();
    CO_TRY(const ChunkedDecoder::Event event, decoder_.next(rest));
    input_.consume(before - rest.size());
    if (event == ChunkedDecoder::Event::kEnd) co_return ByteView{};
    if (event == ChunkedDecoder::Event::kData) co_return decoder_.data();
  }
}

bool RequestBody::can_be_passed() const {
  // A client that still waits for 100 Continue may send the body or not: what comes next would be a guess.
  if (failed_ || continue_due_) return false;
  return chunked_ || left_ <= stream_.limits().drain_bytes;
}

Task<bool> RequestBody::drain() {
  std::size_t drained = 0;
  if (!can_be_passed()) co_return false;
  drained_by_ = stream_.loop().now() + stream_.limits().drain_timeout;
  while (can_be_passed()) {
    if (complete()) co_return true;
    const auto piece = co_await read();
    if (!piece) break;
    drained += piece->size();
    if (drained > stream_.limits().drain_bytes) break;
  }
  co_return false;
}

}  // namespace andromede::net
