// Apis: one endpoint serves every API. Which one a request is for, the service in its credential scope says
// (AWS, "Create a signed AWS API request": AKID/date/region/service/aws4_request), wherever the request goes. Looking
// is all that happens here: who signed is that API's to find out.
//
// Threads: add() before the first request; handle() on any event loop, many at once.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http.h"

namespace andromede::api::edge {

// The service in the scope of the Authorization header, or of X-Amz-Credential in the query; empty: the request is not
// signed, or not in a way that names one.
std::string service_of(const net::RequestHead& head);

class Apis {
 public:
  // `otherwise`: the API of what is not signed, or for a service that is not here: it says so in its own words.
  // Handlers outlive this.
  explicit Apis(net::Handler otherwise) : otherwise_(std::move(otherwise)) {}
  // `service`: as scopes name it: "iam".
  void add(std::string service, net::Handler handler) { apis_.emplace_back(std::move(service), std::move(handler)); }

  // `exchange` outlives the task.
  Task<void> handle(net::Exchange& exchange) const;

 private:
  net::Handler otherwise_;
  std::vector<std::pair<std::string, net::Handler>> apis_;
};

}  // namespace andromede::api::edge
