#include "api/edge/apis.h"

#include "net/query.h"

namespace andromede::api::edge {
namespace {

constexpr std::string_view kInQuery = "X-Amz-Credential=";

// "AKID/20130524/us-east-1/s3/aws4_request": an access key's id may hold slashes, what is behind it not.
std::string_view service_in(std::string_view credential) {
  const std::size_t end = credential.rfind('/');
  if (end == std::string_view::npos || end == 0) return {};
  const std::size_t begin = credential.rfind('/', end - 1);
  return begin == std::string_view::npos ? std::string_view() : credential.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::string service_of(const net::RequestHead& head) {
  if (const auto authorization = head.headers.find("authorization")) {
    constexpr std::string_view kName = "Credential=";
    const std::size_t begin = authorization->find(kName);
    if (begin == std::string_view::npos) return {};
    const std::string_view credential = authorization->substr(begin + kName.size());
    return std::string(service_in(credential.substr(0, credential.find_first_of(", "))));
  }
  std::string_view query = head.target;
  for (std::size_t next = query.find('?'); next != std::string_view::npos; next = query.find('&')) {
    query.remove_prefix(next + 1);
    if (!query.starts_with(kInQuery)) continue;
    const auto credential = net::percent_decode(query.substr(0, query.find('&')).substr(kInQuery.size()), true);
    return credential ? std::string(service_in(*credential)) : std::string();
  }
  return {};
}

Task<void> Apis::handle(net::Exchange& exchange) const {
  if (!apis_.empty()) {
    const std::string service = service_of(exchange.head());
    for (const auto& [name, handler] : apis_) {
      if (name == service) return handler(exchange);
    }
  }
  return otherwise_(exchange);
}

}  // namespace andromede::api::edge
