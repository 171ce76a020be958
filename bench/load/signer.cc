#include "load/signer.h"

#include <ctime>

namespace andromede::load {
namespace {

std::string amz_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

std::string query_text(const Request& request) {
  std::string text;
  for (const auto& [name, value] : request.query) {
    if (!text.empty()) text += '&';
    text += name + '=' + value;
  }
  return text;
}

}  // namespace

void Signer::refresh_key(const std::string& day) {
  if (day == day_) return;
  day_ = day;
  signing_key_ = crypto::hmac_sha256(as_bytes("AWS4" + credentials_.secret), as_bytes(day));
  for (const std::string_view part :
       {std::string_view(credentials_.region), std::string_view("s3"), std::string_view("aws4_request")}) {
    signing_key_ = crypto::hmac_sha256(signing_key_, as_bytes(part));
  }
}

std::string Signer::head(const Request& request, ByteView body, bool hash_body) {
  const std::string query = query_text(request);
  std::string out =
      request.method + ' ' + request.path + (query.empty() ? "" : "?" + query) + " HTTP/1.1\r\nHost: " + host_ + "\r\n";
  if (!request.content_type.empty()) out += "Content-Type: " + request.content_type + "\r\n";
  if (!body.empty() || request.method == "PUT" || request.method == "POST") {
    out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  for (const auto& [name, value] : request.headers) out += name + ": " + value + "\r\n";
  if (credentials_.access_key_id.empty()) return out + "\r\n";

  const std::string date = amz_date();
  const std::string day = date.substr(0, 8);
  refresh_key(day);
  const std::string hash = hash_body ? to_hex(crypto::sha256(body)) : "UNSIGNED-PAYLOAD";
  std::string canonical_headers = "host:" + host_ + "\nx-amz-content-sha256:" + hash + "\nx-amz-date:" + date + "\n";
  std::string signed_headers = "host;x-amz-content-sha256;x-amz-date";
  // The only other headers of this generator are x-amz-meta-…, which sort behind x-amz-date.
  for (const auto& [name, value] : request.headers) {
    canonical_headers += name + ':' + value + '\n';
    signed_headers += ';' + name;
  }
  const std::string canonical = request.method + '\n' + request.path + '\n' + query + '\n' + canonical_headers + '\n' +
                                signed_headers + '\n' + hash;
  const std::string scope = day + '/' + credentials_.region + "/s3/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + date + '\n' + scope + '\n' + to_hex(crypto::sha256(as_bytes(canonical)));
  const std::string signature = to_hex(crypto::hmac_sha256(signing_key_, as_bytes(to_sign)));
  out += "x-amz-content-sha256: " + hash + "\r\nx-amz-date: " + date +
         "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + credentials_.access_key_id + '/' + scope +
         ",SignedHeaders=" + signed_headers + ",Signature=" + signature + "\r\n\r\n";
  return out;
}

}  // namespace andromede::load
