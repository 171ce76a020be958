#include "api/sigv4/signing_key.h"

#include <gtest/gtest.h>

#include "crypto/freed_memory.h"

namespace andromede::api::sigv4 {
namespace {

std::shared_ptr<const identity::Credential> credential(std::string id, std::string_view secret) {
  auto made = std::make_shared<identity::Credential>();
  made->access_key_id = std::move(id);
  made->secret = crypto::SecretText(secret);
  return made;
}

// "Deriving the signing key", AWS General Reference.
TEST(SigningKeyTest, MatchesThePublishedExample) {
  const Scope scope{"20120215/us-east-1/iam/aws4_request", "20120215", "us-east-1", "iam"};
  EXPECT_EQ(to_hex(derive_signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope).bytes()),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

TEST(SigningKeyTest, CachesByCredentialAndScope) {
  SigningKeys keys;
  const Scope today{"20120215/r/s3/aws4_request", "20120215", "r", "s3"};
  const Scope tomorrow{"20120216/r/s3/aws4_request", "20120216", "r", "s3"};
  const auto one = credential("A", "x");
  const auto key = keys.get(one, today);
  EXPECT_EQ(keys.get(one, today), key);
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_NE(keys.get(one, tomorrow), key);
  EXPECT_NE(keys.get(credential("B", "y"), today), key);
  EXPECT_EQ(keys.size(), 3u);
  // The same id with another secret replaces the entry.
  EXPECT_NE(keys.get(credential("A", "z"), today), key);
  EXPECT_EQ(keys.size(), 3u);
}

TEST(SigningKeyTest, IsBounded) {
  SigningKeys keys;
  const auto one = credential("A", "x");
  for (std::size_t i = 0; i < SigningKeys::kCapacity + 10; ++i) {
    const std::string region = std::to_string(i);
    const std::string text = "20120215/" + region + "/s3/aws4_request";
    keys.get(one, {text, "20120215", region, "s3"});
  }
  EXPECT_LE(keys.size(), SigningKeys::kCapacity);
}

// Not by the cache, nor by the requests that use one while it is replaced, pushed out or dropped.
TEST(SigningKeyTest, LeavesNoKeyAndNoSecretInMemoryThatIsGivenBack) {
  const std::string secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  const Scope scope{"20120215/us-east-1/iam/aws4_request", "20120215", "us-east-1", "iam"};
  std::string seed = "AWS4" + secret;
  const auto use = [&] {
    auto keys = std::make_unique<SigningKeys>();
    const auto one = credential("A", secret);
    std::shared_ptr<const crypto::SecretKey> held = keys->get(one, scope);
    EXPECT_EQ(keys->get(one, scope), held);
    (void)keys->get(credential("A", secret), scope);
    keys.reset();
    EXPECT_EQ(held->bytes()[0], 0xf4) << "as long as a request has it, it is there";
  };
  const crypto::SecretKey key = derive_signing_key(secret, scope);
  const crypto::SecretKey dated = crypto::derive_key(as_bytes(seed), as_bytes(scope.date));
  for (const ByteView looked_for : {key.bytes(), dated.bytes(), as_bytes(seed).subspan(4)}) {
    const crypto::FreedMemory freed(looked_for);
    use();
    EXPECT_EQ(freed.seen(), 0U);
  }
}

}  // namespace
}  // namespace andromede::api::sigv4
