#include "crypto/aes_gcm.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/log.h"

namespace andromede::crypto {
namespace {

const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  CHECK(cipher != nullptr, "OpenSSL's default provider has AES-256-GCM");
  return cipher;
}

// The key schedule is computed once; each message then only sets its nonce. Freeing the context wipes it.
class OpensslAesGcm final : public AesGcm {
 public:
  OpensslAesGcm(const SecretKey& key, GcmUse use) : context_(EVP_CIPHER_CTX_new()) {
    CHECK(context_ != nullptr, "a cipher context is a small allocation");
    const int encrypt = use == GcmUse::kSeal ? 1 : 0;
    CHECK(EVP_CipherInit_ex2(context_.get(), aes_256_gcm(), key.bytes().data(), nullptr, encrypt, nullptr) == 1,
          "AES-256-GCM takes any 256-bit key");
  }

  void seal(const GcmNonce& nonce, ByteView context, ByteView plain, std::uint8_t* out) override {
    EVP_CIPHER_CTX* const cipher = context_.get();
    int count = 0;
    const bool sealed =
        EVP_EncryptInit_ex2(cipher, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
        (context.empty() || EVP_EncryptUpdate(cipher, nullptr, &count, context.data(), size_of(context)) == 1) &&
        EVP_EncryptUpdate(cipher, out, &count, readable(plain), size_of(plain)) == 1 &&
        EVP_EncryptFinal_ex(cipher, out + plain.size(), &count) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes, out + plain.size()) == 1;
    CHECK(sealed, "AES-256-GCM encrypts any bytes");
  }

  bool open(const GcmNonce& nonce, ByteView context, ByteView sealed, std::uint8_t* out) override {
    CHECK(sealed.size() >= kGcmTagBytes, "the caller knows where the tag begins");
    const ByteView body = sealed.first(sealed.size() - kGcmTagBytes);
    // OpenSSL wants the tag as mutable memory.
    std::array<std::uint8_t, kGcmTagBytes> tag;
    std::memcpy(tag.data(), sealed.data() + body.size(), kGcmTagBytes);
    EVP_CIPHER_CTX* const cipher = context_.get();
    int count = 0;
    // Where nothing is written, an output is still demanded: without one, OpenSSL takes bytes as associated data.
    std::uint8_t* const to = body.empty() ? tag.data() : out;
    const bool opened =
        EVP_DecryptInit_ex2(cipher, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
        (context.empty() || EVP_DecryptUpdate(cipher, nullptr, &count, context.data(), size_of(context)) == 1) &&
        EVP_DecryptUpdate(cipher, to, &count, body.data(), size_of(body)) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes, tag.data()) == 1 &&
        EVP_DecryptFinal_ex(cipher, to + body.size(), &count) == 1;
    if (!opened) wipe({out, body.size()});
    return opened;
  }

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  static int size_of(ByteView bytes) { return static_cast<int>(bytes.size()); }
  // OpenSSL takes a null input for the end of the message.
  static const std::uint8_t* readable(ByteView bytes) {
    static constexpr std::uint8_t kNothing = 0;
    return bytes.empty() ? &kNothing : bytes.data();
  }

  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

struct KnownAnswer {
  std::string_view name;
  std::string_view key;
  std::string_view nonce;
  std::string_view context;
  std::string_view plain;
  std::string_view sealed;
};

// McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B.
constexpr std::string_view kKey = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr std::array<KnownAnswer, 3> kKnownAnswers{{
    {"test case 13", "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"test case 15", kKey, "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"test case 16", kKey, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
}};

Bytes sealed_by(const AesGcmEngine& engine, const SecretKey& key, const GcmNonce& nonce, ByteView context,
                ByteView plain) {
  Bytes sealed(plain.size() + kGcmTagBytes);
  engine.make(key, GcmUse::kSeal)->seal(nonce, context, plain, sealed.data());
  return sealed;
}

// Opens what it should, and not a tag or a ciphertext with one bit changed.
bool opens(const AesGcmEngine& engine, const SecretKey& key, const GcmNonce& nonce, ByteView context, Bytes sealed,
           ByteView plain) {
  const auto cipher = engine.make(key, GcmUse::kOpen);
  Bytes out(plain.size());
  if (!cipher->open(nonce, context, sealed, out.data())) return false;
  if (!std::equal(out.begin(), out.end(), plain.begin(), plain.end())) return false;
  for (const std::size_t at : {std::size_t{0}, sealed.size() - 1}) {
    sealed[at] ^= 1;
    if (cipher->open(nonce, context, sealed, out.data())) return false;
    sealed[at] ^= 1;
  }
  return true;
}

Status check_known_answer(const AesGcmEngine& engine, const KnownAnswer& answer) {
  TRY(const Bytes key_bytes, from_hex(answer.key));
  TRY(const SecretKey key, SecretKey::from_bytes(key_bytes));
  TRY(const Bytes nonce_bytes, from_hex(answer.nonce));
  TRY(const Bytes context, from_hex(answer.context));
  TRY(const Bytes plain, from_hex(answer.plain));
  TRY(const Bytes sealed, from_hex(answer.sealed));
  GcmNonce nonce{};
  std::copy(nonce_bytes.begin(), nonce_bytes.end(), nonce.begin());
  if (sealed_by(engine, key, nonce, context, plain) == sealed && opens(engine, key, nonce, context, sealed, plain)) {
    return {};
  }
  return fail(Errc::kCorrupt, "a wrong answer to " + std::string(answer.name));
}

Status compare_with_openssl(const AesGcmEngine& engine, const SecretKey& key, ByteView context, ByteView plain) {
  GcmNonce nonce{};
  nonce[0] = static_cast<std::uint8_t>(plain.size());
  const Bytes sealed = sealed_by(openssl_aes_gcm(), key, nonce, context, plain);
  if (sealed_by(engine, key, nonce, context, plain) == sealed && opens(engine, key, nonce, context, sealed, plain)) {
    return {};
  }
  return fail(Errc::kCorrupt, "other bytes than OpenSSL's for a message of " + std::to_string(plain.size()) +
                                  " bytes with " + std::to_string(context.size()) + " of context");
}

}  // namespace

const AesGcmEngine& openssl_aes_gcm() {
  static const AesGcmEngine engine{"openssl", [](const SecretKey& key, GcmUse use) -> std::unique_ptr<AesGcm> {
                                     return std::make_unique<OpensslAesGcm>(key, use);
                                   }};
  return engine;
}

Status self_test(const AesGcmEngine& engine) {
  for (const KnownAnswer& answer : kKnownAnswers) CHECK_OK(check_known_answer(engine, answer));
  SeededRandom random(1);
  const SecretKey key = SecretKey::random(random);
  Bytes bytes(64 << 10);
  random.fill(bytes);
  // Sixteen blocks at a time, and 32 or 48 where there are many: what is left over takes ways of its own.
  constexpr std::array<std::size_t, 20> kSizes{1,   15,  16,  17,   127,  128,  255,  256,  257,   511,
                                               512, 513, 767, 1023, 1024, 1040, 2048, 4096, 16385, 64 << 10};
  for (const std::size_t size : kSizes) {
    CHECK_OK(compare_with_openssl(engine, key, ByteView(bytes).first(16), ByteView(bytes).first(size)));
  }
  for (const std::size_t size : {0, 1, 15, 17, 48, 255, 300}) {
    CHECK_OK(compare_with_openssl(engine, key, ByteView(bytes).first(static_cast<std::size_t>(size)),
                                  ByteView(bytes).first(100)));
  }
  return {};
}

const AesGcmEngine& choose_aes_gcm(const AesGcmEngine* candidate) {
  if (candidate == nullptr) return openssl_aes_gcm();
  const Status passed = self_test(*candidate);
  if (passed) return *candidate;
  log_error("AES-256-GCM is computed by OpenSSL: the faster engine failed its self-test",
            {{"engine", candidate->name}, {"error", passed.error().describe()}});
  return openssl_aes_gcm();
}

const AesGcmEngine& aes_gcm() {
  static const AesGcmEngine& chosen = choose_aes_gcm(ipsec_mb_aes_gcm());
  return chosen;
}

}  // namespace andromede::crypto
