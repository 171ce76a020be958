#include "api/s3/front_end.h"

#include "api/edge/front_door.h"
#include "api/s3/errors.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"

namespace andromede::api::s3 {

struct FrontEnd::Impl {
  Impl(objects::Service& service, sigv4::CredentialLookup lookup, const Clock& clock, Random& random, Metrics& metrics,
       Options the_options)
      : options(std::move(the_options)),
        authenticator(std::move(lookup), clock, {.region = options.region}),
        answers(kAnswerMemoryBytes, clock),
        surroundings{service, authenticator, documents, answers, clock, options},
        door("s3", operations().size(), options.access_log ? edge::Lines::kAll : edge::Lines::kFaults, clock, random,
             metrics) {}

  Task<void> handle(net::Exchange& exchange) {
    Request request(exchange, surroundings, door.new_request_id());
    co_await door.handle(request);
  }

  const Options options;
  sigv4::Authenticator authenticator;
  LargeDocuments documents;
  AnswerMemory answers;
  const Surroundings surroundings;
  edge::FrontDoor door;
};

FrontEnd::FrontEnd(objects::Service& service, const identity::Directory& directory, const Clock& clock, Random& random,
                   Metrics& metrics, Options options)
    : FrontEnd(
          service, [&directory](std::string_view access_key_id) { return directory.find(access_key_id); }, clock,
          random, metrics, std::move(options)) {}

FrontEnd::FrontEnd(objects::Service& service, sigv4::CredentialLookup lookup, const Clock& clock, Random& random,
                   Metrics& metrics, Options options)
    : impl_(std::make_unique<Impl>(service, std::move(lookup), clock, random, metrics, std::move(options))) {}

FrontEnd::~FrontEnd() = default;

std::size_t FrontEnd::answer_bytes() const { return impl_->answers.held_bytes(); }

net::Handler FrontEnd::handler() {
  return [impl = impl_.get()](net::Exchange& exchange) { return impl->handle(exchange); };
}

std::string FrontEnd::render_protocol_error(unsigned status, std::string_view message) {
  return render_error({code_of_status(status), status, std::string(message)}, {}, impl_->door.new_request_id(),
                      impl_->options.host_id, {});
}

net::ErrorRenderer FrontEnd::error_renderer() {
  return [this](unsigned status, std::string_view message) { return render_protocol_error(status, message); };
}

}  // namespace andromede::api::s3
