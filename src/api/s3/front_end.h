// FrontEnd: S3 on a net::Server, through a door as every API has one (api/edge).
//
// Threads: handler() and render_protocol_error() are called on any event loop, many at once.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "api/s3/options.h"
#include "api/sigv4/authenticator.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "identity/directory.h"
#include "net/http.h"
#include "objects/service.h"

namespace andromede::api::s3 {

class FrontEnd {
 public:
  // All are borrowed and outlive the front end, which outlives every server that uses its handler.
  FrontEnd(objects::Service& service, const identity::Directory& directory, const Clock& clock, Random& random,
           Metrics& metrics, Options options);
  // The same with another source of credentials.
  FrontEnd(objects::Service& service, sigv4::CredentialLookup lookup, const Clock& clock, Random& random,
           Metrics& metrics, Options options);
  FrontEnd(const FrontEnd&) = delete;
  FrontEnd& operator=(const FrontEnd&) = delete;
  ~FrontEnd();

  [[nodiscard]] net::Handler handler();

  // The body of an error that the server itself answers, for net::ListenOptions::render_error; XML
  // (kErrorContentType) with the code that S3 has for `status`.
  [[nodiscard]] std::string render_protocol_error(unsigned status, std::string_view message);
  [[nodiscard]] net::ErrorRenderer error_renderer();
  static constexpr const char* kErrorContentType = "application/xml";

  // What long answers take of memory, about.
  [[nodiscard]] std::size_t answer_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace andromede::api::s3
