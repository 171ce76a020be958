// TestGateway: the S3 front end over a whole cloud in a temporary folder, spoken to by signed requests without a
// socket. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "api/s3/front_end.h"
#include "api/sigv4/test_signer.h"
#include "base/task.h"
#include "codec/xml.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::api::s3 {

struct TestResponse {
  unsigned status = 0;
  net::Headers headers;
  std::string body;
  std::optional<std::uint64_t> announced_length;  // of a streamed answer
  bool finished = false;
  bool admitted = false;
  bool body_was_asked_for = false;  // what sends `100 Continue`

  [[nodiscard]] std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
  // Text of the element at a path of names below the root: "Contents/Key".
  [[nodiscard]] std::string xml(std::string_view path) const {
    const auto root = codec::parse_xml(body);
    if (!root) return "(not XML)";
    const codec::XmlElement* at = &*root;
    while (!path.empty() && at != nullptr) {
      const std::size_t end = std::min(path.find('/'), path.size());
      at = at->child(path.substr(0, end));
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    return at == nullptr ? "(none)" : at->text;
  }
  // The texts of `field` in every child called `name` of the root.
  [[nodiscard]] std::vector<std::string> all(std::string_view name, std::string_view field) const {
    std::vector<std::string> out;
    const auto root = codec::parse_xml(body);
    if (!root) return {"(not XML)"};
    for (const codec::XmlElement& child : root->children) {
      if (child.name == name) out.emplace_back(child.child_text(field));
    }
    return out;
  }
  [[nodiscard]] std::string code() const { return xml("Code"); }
};

class TestExchange final : public net::Exchange, private net::ResponseSink {
 public:
  TestExchange(net::RequestHead head, std::string body, bool announced)
      : head_(std::move(head)), body_(std::move(body), *this) {
    if (!announced) body_.bytes.unannounced();
  }
  [[nodiscard]] const net::RequestHead& head() const override { return head_; }
  [[nodiscard]] BodySource& body() override { return body_; }
  void admit(std::string_view) override { response.admitted = true; }
  Task<Status> respond(net::ResponseHead head, std::string body) override {
    EXPECT_EQ(response.status, 0u) << "answered twice";
    if (before_whole_answer) before_whole_answer();
    response.status = head.status;
    response.headers = std::move(head.headers);
    if (head_.method != "HEAD") response.body = std::move(body);
    response.finished = true;
    co_return Status{};
  }
  Task<Status> start(net::ResponseHead head, std::optional<std::uint64_t> content_length) override {
    EXPECT_EQ(response.status, 0u) << "answered twice";
    response.status = head.status;
    response.headers = std::move(head.headers);
    response.announced_length = content_length;
    co_return Status{};
  }
  [[nodiscard]] net::ResponseSink& sink() override { return *this; }
  [[nodiscard]] std::stop_token stop_token() override { return cut.get_token(); }
  Task<Status> finish() override {
    response.finished = true;
    co_return Status{};
  }

  TestResponse response;
  std::stop_source cut;
  std::function<void()> before_whole_answer;
  std::function<void()> before_more;  // than the peer had room for

 private:
  struct Body final : BodySource {
    Body(std::string data, TestExchange& the_owner) : bytes(std::move(data)), owner(the_owner) {}
    Task<Result<ByteView>> read() override {
      owner.response.body_was_asked_for = true;
      return bytes.read();
    }
    [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override {
      return bytes.announced_size_bytes();
    }
    objects::MemoryBody bytes;
    TestExchange& owner;
  };
  Task<Status> write(ByteView data) override {
    response.body.append(as_text(data));
    co_return Status{};
  }
  // A peer that is always behind.
  Task<Result<std::size_t>> write_some(ByteView data) override {
    constexpr std::size_t kRoomBytes = 50'000;
    const std::size_t taken = std::min(data.size(), kRoomBytes);
    response.body.append(as_text(data.first(taken)));
    co_return taken;
  }
  Task<Status> ready() override {
    if (before_more) before_more();
    co_return Status{};
  }

  net::RequestHead head_;
  Body body_;
};

// What a request is made of, with the usual values filled in.
struct TestRequest {
  std::string method = "GET";
  std::string target = "/";
  std::vector<net::Header> headers = {};
  std::string body = {};
  std::string payload_hash = "UNSIGNED-PAYLOAD";
  bool with_length = true;  // Content-Length, else neither it nor chunks
  unsigned account = 0;
};

class TestGateway {
 public:
  explicit TestGateway(Options options = {}) {
    for (unsigned i = 0; i < objects::TestCloud::kAccounts; ++i) {
      auto credential = std::make_shared<identity::Credential>();
      credential->access_key_id = "AKIATEST" + std::to_string(i);
      credential->secret = crypto::SecretText("secret" + std::to_string(i));
      credential->account = cloud_.context(i).principal.account;
      credentials_.push_back(std::move(credential));
    }
    options.host_suffixes = {"s3.example"};
    front_end_ = std::make_unique<FrontEnd>(
        cloud_.service(), [this](std::string_view id) { return find(id); }, clock_, random_, metrics_,
        std::move(options));
  }

  [[nodiscard]] sigv4::testing::TestSigner signer(unsigned account = 0) const {
    return {.access_key_id = credentials_[account]->access_key_id,
            .secret = std::string(credentials_[account]->secret.view()),
            .region = "fr-andromede-1",
            .service = "s3",
            .time = clock_.now()};
  }
  [[nodiscard]] static net::RequestHead head_of(const TestRequest& request) {
    net::RequestHead head{.method = request.method,
                          .target = request.target,
                          .headers = {},
                          .peer_address = "127.0.0.1",
                          .peer = "127.0.0.1"};
    bool has_host = false;
    for (const net::Header& header : request.headers) has_host |= header.name == "Host";
    if (!has_host) head.headers.add("Host", "127.0.0.1:8333");
    if (request.with_length) head.headers.add("Content-Length", std::to_string(request.body.size()));
    for (const net::Header& header : request.headers) head.headers.add(header.name, header.value);
    return head;
  }

  TestResponse send(const TestRequest& request) {
    net::RequestHead head = head_of(request);
    signer(request.account).sign(head, request.payload_hash);
    return send(std::move(head), request.body);
  }
  // As it is: already signed, or not at all.
  TestResponse send(net::RequestHead head, std::string body, bool announced = true) {
    TestExchange exchange(std::move(head), std::move(body), announced);
    sync_wait(front_end_->handler()(exchange));
    EXPECT_NE(exchange.response.status, 0u) << "no answer";
    EXPECT_EQ(exchange.response.header("x-amz-request-id").size(), 16u);
    return std::move(exchange.response);
  }

  // The status of the answer, 0: none, over a connection that the server cuts with `cut`.
  unsigned send(const TestRequest& request, std::stop_source cut) {
    net::RequestHead head = head_of(request);
    signer(request.account).sign(head, request.payload_hash);
    TestExchange exchange(std::move(head), request.body, true);
    exchange.cut = std::move(cut);
    sync_wait(front_end_->handler()(exchange));
    return exchange.response.status;
  }

  TestResponse get(std::string target, std::vector<net::Header> headers = {}) {
    return send({.method = "GET", .target = std::move(target), .headers = std::move(headers)});
  }
  TestResponse head(std::string target, std::vector<net::Header> headers = {}) {
    return send({.method = "HEAD", .target = std::move(target), .headers = std::move(headers)});
  }
  TestResponse put(std::string target, std::string body = {}, std::vector<net::Header> headers = {}) {
    return send({.method = "PUT", .target = std::move(target), .headers = std::move(headers), .body = std::move(body)});
  }
  TestResponse post(std::string target, std::string body = {}, std::vector<net::Header> headers = {}) {
    return send(
        {.method = "POST", .target = std::move(target), .headers = std::move(headers), .body = std::move(body)});
  }
  TestResponse remove(std::string target, std::vector<net::Header> headers = {}) {
    return send({.method = "DELETE", .target = std::move(target), .headers = std::move(headers)});
  }

  FrontEnd& front_end() { return *front_end_; }
  objects::TestCloud& cloud() { return cloud_; }
  objects::HastyClock& clock() { return clock_; }
  Metrics& metrics() { return metrics_; }

 private:
  std::shared_ptr<const identity::Credential> find(std::string_view id) const {
    for (const auto& credential : credentials_) {
      if (credential->access_key_id == id) return credential;
    }
    return nullptr;
  }

  objects::TestCloud cloud_;
  objects::HastyClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  std::vector<std::shared_ptr<const identity::Credential>> credentials_;
  std::unique_ptr<FrontEnd> front_end_;
};

// Tests on one gateway, which takes a while to start: each finds an empty "/bucket" and leaves nothing behind.
class GatewayTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { shared_ = std::make_unique<TestGateway>(); }
  static void TearDownTestSuite() { shared_.reset(); }
  void SetUp() override { ASSERT_EQ(gateway_.put("/bucket").status, 200u); }
  void TearDown() override {
    for (const std::string& key : gateway_.get("/bucket?encoding-type=url").all("Contents", "Key")) {
      EXPECT_EQ(gateway_.remove("/bucket/" + key).status, 204u);
    }
    const TestResponse uploads = gateway_.get("/bucket?uploads&encoding-type=url");
    const std::vector<std::string> keys = uploads.all("Upload", "Key");
    const std::vector<std::string> ids = uploads.all("Upload", "UploadId");
    for (std::size_t i = 0; i < keys.size(); ++i) gateway_.remove("/bucket/" + keys[i] + "?uploadId=" + ids[i]);
    EXPECT_EQ(gateway_.remove("/bucket").status, 204u);
  }

  TestGateway& gateway_ = *shared_;

 private:
  inline static std::unique_ptr<TestGateway> shared_;
};

}  // namespace andromede::api::s3
