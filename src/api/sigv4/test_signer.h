// A client's side of SigV4, for tests: signs heads, presigns targets and frames signed chunks.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/sigv4/canonical.h"
#include "api/sigv4/signed_headers.h"
#include "api/sigv4/signing_key.h"
#include "base/bytes.h"
#include "crypto/digest.h"
#include "net/dates.h"
#include "net/http.h"

namespace andromede::api::sigv4::testing {

struct TestSigner {
  std::string access_key_id = "AKIAIOSFODNN7EXAMPLE";
  std::string secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  std::string region = "us-east-1";
  std::string service = "s3";
  Timestamp time{1369353600000};             // 2013-05-24T00:00:00Z
  std::optional<Timestamp> scope_time = {};  // another day in the scope than the request's

  [[nodiscard]] std::string date() const { return net::to_iso8601_basic(scope_time.value_or(time)).substr(0, 8); }
  [[nodiscard]] std::string scope() const { return date() + "/" + region + "/" + service + "/aws4_request"; }
  [[nodiscard]] crypto::SecretKey key() const {
    const std::string day = date();
    return derive_signing_key(secret, Scope{{}, day, region, service});
  }
  [[nodiscard]] std::string hmac(std::string_view text) const {
    return to_hex(crypto::hmac_sha256(key().bytes(), as_bytes(text)));
  }

  // Adds x-amz-date, x-amz-content-sha256 and Authorization over every header; answers the signature.
  std::string sign(net::RequestHead& head, std::string payload_hash = "UNSIGNED-PAYLOAD") const {
    head.headers.add("x-amz-date", net::to_iso8601_basic(time));
    head.headers.add("x-amz-content-sha256", payload_hash);
    const std::string names = all_names(head);
    const std::string signature = signature_of(head, names, payload_hash);
    head.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=" + access_key_id + "/" + scope() +
                                          ", SignedHeaders=" + names + ", Signature=" + signature);
    return signature;
  }

  // Makes the head's target a presigned one over the headers it has.
  void presign(net::RequestHead& head, std::string_view expires_s) const {
    const std::string names = all_names(head);
    std::string query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=";
    net::append_percent_encoded(query, access_key_id + "/" + scope(), false);
    query.append("&X-Amz-Date=").append(net::to_iso8601_basic(time)).append("&X-Amz-Expires=").append(expires_s);
    query.append("&X-Amz-SignedHeaders=");
    net::append_percent_encoded(query, names, false);
    head.target.append(head.target.find('?') == std::string::npos ? "?" : "&").append(query);
    const std::string signature = signature_of(head, names, "UNSIGNED-PAYLOAD");
    head.target.append("&X-Amz-Signature=").append(signature);
  }

  // One chunk of a signed stream; `previous` is the chain's last signature and becomes this chunk's.
  std::string chunk(std::string_view data, std::string& previous) const {
    const std::string to_sign = "AWS4-HMAC-SHA256-PAYLOAD\n" + net::to_iso8601_basic(time) + "\n" + scope() + "\n" +
                                previous + "\n" + to_hex(crypto::sha256({})) + "\n" +
                                to_hex(crypto::sha256(as_bytes(data)));
    previous = hmac(to_sign);
    char size[32];
    std::snprintf(size, sizeof size, "%zx", data.size());
    std::string out = std::string(size) + ";chunk-signature=" + previous + "\r\n";
    if (!data.empty()) out.append(data).append("\r\n");
    return out;
  }

 private:
  static std::string all_names(const net::RequestHead& head) {
    std::vector<std::string> names;
    for (const net::Header& header : head.headers.list()) {
      std::string name = header.name;
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    std::string out;
    for (const std::string& name : names) out.append(out.empty() ? "" : ";").append(name);
    return out;
  }

  [[nodiscard]] std::string signature_of(const net::RequestHead& head, std::string_view names,
                                         std::string_view payload_hash) const {
    const std::size_t question = std::min(head.target.find('?'), head.target.size());
    const std::string_view whole = head.target;
    const net::Query query = net::Query::parse(whole.substr(std::min(question + 1, whole.size()))).value();
    const SortedHeaders headers(head.headers);
    const SignedHeaders signed_headers = SignedHeaders::parse(names, SigErrc::kHeaderMalformed).value();
    const std::string canonical = canonical_request({.method = head.method,
                                                     .raw_path = whole.substr(0, question),
                                                     .query = &query,
                                                     .query_without = {},
                                                     .headers = &headers,
                                                     .signed_headers = &signed_headers,
                                                     .payload_hash = payload_hash})
                                      .value();
    return hmac(string_to_sign(net::to_iso8601_basic(time), scope(), canonical));
  }
};

}  // namespace andromede::api::sigv4::testing
