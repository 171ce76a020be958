#include "cannot_listen.h"

#include "messages.h"

namespace andromede::app {
namespace {

constexpr std::uint16_t kFirstPortForAll = 1024;

Error of_listen(const Config& config, Listener listener, const Error& error) {
  const bool s3 = listener == Listener::kS3;
  const Endpoint& endpoint = s3 ? config.s3 : config.operators;
  const std::string remedy = error == Errc::kAlreadyExists ? text(Msg::kPortTaken)
                             : error == Errc::kNotFound    ? text(Msg::kNotAnAddressHere)
                             : error == Errc::kRefused && endpoint.port < kFirstPortForAll
                                 ? text(Msg::kPortNeedsCapability)
                                 : std::string();
  const char* const key = s3 ? "[s3] listen" : "[operator] listen";
  const Errc code = error == Errc::kInvalidArgument ? Errc::kInvalidArgument : Errc::kIo;
  return {make_error_code(code), text(Msg::kCannotListen, {config.file, key, error.message(), remedy})};
}

}  // namespace

Error cannot_listen(const Config& config, Listener listener, const Error& error) {
  const auto is_about = [&](const std::string& file) {
    return !file.empty() && error.message().starts_with(file + ":");
  };
  // Both before the listener, whatever its address.
  if (is_about(config.tls_certificate)) return error.in(config.tls_certificate_at + ": tls_certificate");
  if (is_about(config.tls_key)) return error.in(config.tls_key_at + ": tls_key");
  return of_listen(config, listener, error);
}

}  // namespace andromede::app
