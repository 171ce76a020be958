// For tests: heads without a right signature, each made to be expensive in its own way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/sigv4/test_signer.h"

namespace andromede::api::s3::testing {

inline std::string repeat(std::string_view piece, std::size_t bytes) {
  std::string out;
  while (out.size() + piece.size() <= bytes) out += piece;
  return out;
}

// "p0<between>p1<between>…", `bytes` long at most.
inline std::string numbered(std::string_view prefix, std::string_view between, std::size_t bytes, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < most && out.size() + prefix.size() + between.size() + 5 <= bytes; ++i) {
    if (i > 0) out += between;
    out += prefix;
    out += std::to_string(1000 + i);
  }
  return out;
}

struct Head {
  std::string name;
  std::string text;
};

// Heads by somebody who knows the signer's access key id, and no secret; bucket "b" is reached as a path and as
// "b.s3.example".
class DearHeads {
 public:
  explicit DearHeads(sigv4::testing::TestSigner signer) : signer_(std::move(signer)) {}

  // Heads of about `bytes` bytes, each dear in its own way.
  std::vector<Head> of(std::size_t bytes) const {
    constexpr std::string_view kNames = "host;x-amz-content-sha256;x-amz-date";
    const std::size_t room = bytes - 500;
    const std::string many_names = numbered("z-" + std::string(room / 400, 'z'), ";", room / 2, 110);
    std::string many_lines;
    for (std::size_t at = 0; at < many_names.size();) {
      const std::size_t end = std::min(many_names.find(';', at), many_names.size());
      many_lines += many_names.substr(at, end - at) + ": \r\n";
      at = end + 1;
    }
    std::vector<Head> out = {
        {"one header named thousands of times",
         signed_head("/", "a: " + std::string(room / 2, '"') + "\r\n", "a" + repeat(";a", room / 2 - 1))},
        {"a value all of quotes",
         signed_head("/", "z: " + std::string(room, '"') + "\r\n", std::string(kNames) + ";z")},
        {"a value that is no UTF-8",
         signed_head("/", "z: " + std::string(room, '\xFF') + "\r\n", std::string(kNames) + ";z")},
        {"as many names as there may be", signed_head("/", many_lines, std::string(kNames) + ";" + many_names)},
        {"names of headers that are not there", signed_head("/", "", std::string(kNames) + ";" + many_names)},
        {"unsigned headers", signed_head(
                                 "/",
                                 [&] {
                                   std::string lines;
                                   const std::size_t each = room / 110;
                                   for (int i = 100; i < 200 && each > 12; ++i) {
                                     lines += "x-amz-" + std::to_string(i) + std::string(each - 12, 'u') + ":\r\n";
                                   }
                                   return lines;
                                 }(),
                                 kNames)},
        {"one metadata name in many lines",
         signed_head("/", repeat("x-amz-meta-a: " + std::string(room / 130, 'm') + "\r\n", room - room / 8),
                     std::string(kNames) + ";x-amz-meta-a")},
        {"a path to be escaped", signed_head("/b/" + std::string(room, '('), "", kNames)},
        {"a path of escaped quotes", signed_head("/b/" + repeat("%22", room), "", kNames)},
        {"a path of ampersands", signed_head("/b/" + std::string(room, '&'), "", kNames)},
        {"a path of apostrophes and slashes", signed_head(repeat("/'", room), "", kNames)},
        {"a query of small parameters", signed_head("/?" + repeat("a&", room), "", kNames)},
        {"a query of many names", signed_head("/?" + numbered("p", "&", room, 100'000), "", kNames)},
        {"a query to be escaped",
         signed_head("/?" + numbered("p" + std::string(room / 150, '('), "&", room, 127), "", kNames)},
        {"a query of escapes", signed_head("/?a=" + repeat("%ff", room), "", kNames)},
        {"empty parameters", signed_head("/?" + std::string(room, '&'), "", kNames)},
        {"signed chunks with a long length",
         signed_head("/b/k", "x-amz-decoded-content-length: " + std::string(room, '9') + "\r\n",
                     "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length",
                     "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")},
        {"a payload hash that is none", signed_head("/b/k", "", kNames, std::string(room, 'f'))},
        {"an authorization of commas",
         plain_head("/", "Authorization: AWS4-HMAC-SHA256 " + std::string(room, ',') + "\r\n")},
        {"an authorization of components",
         plain_head("/", "Authorization: AWS4-HMAC-SHA256 " + repeat("a=,", room) + "\r\n")},
        {"a long scheme", plain_head("/", "Authorization: " + std::string(room, '"') + "\r\n")},
        {"a credential without end",
         plain_head("/", "Authorization: AWS4-HMAC-SHA256 Credential=" + repeat("a/", room - 80) +
                             ",SignedHeaders=host,Signature=0\r\n")},
        {"presigned with long names", presigned_head("", numbered("n" + std::string(room / 150, 'n'), ";", room, 120))},
        {"presigned with thousands of names", presigned_head("", "host" + repeat(";i", room))},
        {"presigned with headers in the query",
         presigned_head("&" + numbered("x-amz-meta-" + std::string(room / 150, '('), "&", room, 110))},
        {"presigned of version 2",
         plain_head("/b/k?AWSAccessKeyId=a&Signature=b&Expires=" + std::string(room, '9'), "")},
        {"a virtual host of many dots", plain_head("/", "", repeat("a.", room - 20) + "s3.example")},
        {"a preflight", "OPTIONS /b/" + std::string(room / 2, '%') + " HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"a preflight with an origin",
         "OPTIONS /b/k HTTP/1.1\r\nHost: h\r\nAccess-Control-Request-Method: PUT\r\nOrigin: " + std::string(room, '<') +
             "\r\n\r\n"},
        {"a document without a signature",
         "POST /b?delete HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(2 << 20) + "\r\n\r\n"},
        {"more headers than there may be", plain_head("/", repeat("a:\r\n", room))},
        {"a broken line", plain_head("/", std::string(room, '"') + "\r\n")},
        {"two hosts", plain_head("/", "Host: " + std::string(room, 'h') + "\r\n")},
        {"a long absolute target", plain_head("http://" + std::string(room / 2, 'h') + "/", "")},
        {"a key and agent to be logged",
         plain_head("/b/" + repeat("%01", room / 2), "User-Agent: " + std::string(room / 3, '\x80') + "\r\n")},
    };
    auto abroad = signer_;
    abroad.region = std::string(room, '"');
    out.push_back({"a region of quotes",
                   plain_head("/", "x-amz-date: " + now() + "\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n" +
                                       "Authorization: AWS4-HMAC-SHA256 Credential=a/" + abroad.scope() +
                                       ",SignedHeaders=host,Signature=0\r\n")});
    out.push_back(
        {"an access key id of quotes",
         plain_head("/", "x-amz-date: " + now() + "\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n" +
                             "Authorization: AWS4-HMAC-SHA256 Credential=" + std::string(room - 100, '"') + "/" +
                             signer_.scope() + ",SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=0\r\n")});
    return out;
  }

 private:
  [[nodiscard]] std::string now() const { return net::to_iso8601_basic(signer_.time); }

  // Everything of a signature but a right one.
  std::string signed_head(std::string_view target, std::string_view extra_headers, std::string_view signed_headers,
                          std::string_view payload = "UNSIGNED-PAYLOAD") const {
    std::string head = "PUT " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n";
    head.append("x-amz-date: " + now() + "\r\nx-amz-content-sha256: ").append(payload).append("\r\n");
    head.append(extra_headers);
    head.append("Authorization: AWS4-HMAC-SHA256 Credential=" + signer_.access_key_id + "/" + signer_.scope());
    head.append(",SignedHeaders=").append(signed_headers).append(",Signature=" + std::string(64, '0') + "\r\n\r\n");
    return head;
  }
  std::string presigned_head(std::string_view more_query, std::string_view signed_headers = "host") const {
    std::string target = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Date=" + now();
    target.append("&X-Amz-Credential=" + signer_.access_key_id + "/" + signer_.scope());
    target.append("&X-Amz-Signature=" + std::string(64, '0') + "&X-Amz-SignedHeaders=").append(signed_headers);
    target.append(more_query);
    return plain_head(target, "");
  }
  static std::string plain_head(std::string_view target, std::string_view headers, std::string_view host = "h") {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" + std::string(headers) +
           "\r\n";
  }

  const sigv4::testing::TestSigner signer_;
};

}  // namespace andromede::api::s3::testing
