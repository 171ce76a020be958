#include "crypto/digest.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/test_bytes.h"
#include "crypto/crc64nvme.h"
#include "crypto/crc_algebra.h"

namespace andromede::crypto {
namespace {

TEST(Digest, MatchesPublishedVectors) {
  // FIPS 180-4 examples; RFC 1321, appendix A.5.
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(md5(as_bytes("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(to_hex(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Digest, HmacMatchesRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(20, 0x0b), as_bytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  // RFC 4231 has no empty key; Python's hmac module gives this.
  EXPECT_EQ(to_hex(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digest, HashersMatchTheCatalogueOfChecksCheckValues) {
  const std::pair<Checksum, const char*> vectors[] = {
      {Checksum::kCrc32, "cbf43926"},
      {Checksum::kCrc32c, "e3069283"},
      {Checksum::kCrc64Nvme, "ae8b14860a799888"},
      {Checksum::kSha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
      {Checksum::kSha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
      {Checksum::kMd5, "25f9e794323b453885f5181f1b624d0b"}};
  for (const auto& [kind, expected] : vectors) {
    for (std::size_t split = 0; split <= 9; ++split) {
      const auto hasher = make_hasher(kind);
      hasher->update(as_bytes("123456789").first(split));
      hasher->update(as_bytes("123456789").subspan(split));
      const Bytes value = hasher->finish();
      EXPECT_EQ(to_hex(value), expected) << split;
      EXPECT_EQ(value.size(), checksum_size(kind));
    }
  }
  EXPECT_EQ(make_hasher(Checksum::kNone), nullptr);
}

TEST(Digest, OneShotsOfDifferentThreadsDoNotMix) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&wrong, t] {
      const Bytes data(100, static_cast<std::uint8_t>(t));
      const Sha256Digest expected = sha256(data);
      for (int i = 0; i < 2000; ++i) wrong += sha256(data) == expected && md5(data) == md5(data) ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Crc, Crc32cMatchesRfc3720) {
  EXPECT_EQ(crc32c(0, Bytes(32, 0x00)), 0x8A9136AAU);
  EXPECT_EQ(crc32c(0, Bytes(32, 0xff)), 0x62A8AB43U);
}

TEST(Crc, Crc64NvmeMatchesTheNvmeSpecification) {
  // NVM Command Set Specification, 64b CRC test cases.
  EXPECT_EQ(crc64nvme(0, Bytes(4096, 0x00)), 0x6482D367EB22B64EU);
  EXPECT_EQ(crc64nvme(0, Bytes(4096, 0xff)), 0xC0DDBA7302ECA3ACU);
}

TEST(Crc, FoldingAndTablesAgreeOnEveryLengthAndSeed) {
  if (!can_fold_crc64nvme()) GTEST_SKIP() << "this processor has no carry-less multiplication";
  SeededRandom random(7);
  const Bytes data = random_bytes(random, 2100);
  for (std::size_t length = 0; length < 600; ++length) {
    const std::size_t offset = length % 17;
    const std::uint64_t seed = random.below(UINT64_MAX);
    const ByteView piece = ByteView(data).subspan(offset, length);
    ASSERT_EQ(crc64nvme_by_folding(seed, piece), crc64nvme_by_tables(seed, piece)) << length;
  }
  EXPECT_EQ(crc64nvme_by_folding(0, data), crc64nvme_by_tables(0, data));
}

TEST(Crc, SeedsChain) {
  SeededRandom random(3);
  const Bytes data = random_bytes(random, 1000);
  for (const std::size_t split : {0, 1, 15, 128, 131, 999, 1000}) {
    const ByteView head = ByteView(data).first(split);
    const ByteView tail = ByteView(data).subspan(split);
    EXPECT_EQ(crc32(crc32(0, head), tail), crc32(0, data));
    EXPECT_EQ(crc32c(crc32c(0, head), tail), crc32c(0, data));
    EXPECT_EQ(crc64nvme(crc64nvme(0, head), tail), crc64nvme(0, data));
  }
}

TEST(Crc, CombiningGivesTheCrcOfTheWhole) {
  SeededRandom random(5);
  for (const Checksum kind : {Checksum::kCrc32, Checksum::kCrc32c, Checksum::kCrc64Nvme}) {
    for (const std::size_t size : {0UL, 1UL, 7UL, 64UL, 1000UL, 70'000UL}) {
      const Bytes a = random_bytes(random, random.below(500));
      const Bytes b = random_bytes(random, size);
      const auto whole = make_hasher(kind);
      const auto first = make_hasher(kind);
      const auto second = make_hasher(kind);
      whole->update(a);
      whole->update(b);
      first->update(a);
      second->update(b);
      EXPECT_EQ(combine_crc(kind, first->finish(), second->finish(), size), whole->finish());
    }
  }
}

TEST(Crc, CombiningIsAssociativeForSizesBeyondMemory) {
  const std::uint64_t a = 0x0123456789abcdefU;
  const std::uint64_t b = 0xfedcba9876543210U;
  const std::uint64_t c = 0x5555aaaa5555aaaaU;
  const std::uint64_t b_bytes = 5ULL << 30;
  const std::uint64_t c_bytes = (5ULL << 40) + 1;
  const auto left = combine(combine(a, b, b_bytes, kCrc64NvmePolynomial), c, c_bytes, kCrc64NvmePolynomial);
  const auto right = combine(a, combine(b, c, c_bytes, kCrc64NvmePolynomial), b_bytes + c_bytes, kCrc64NvmePolynomial);
  EXPECT_EQ(left, right);
}

TEST(Crc, OnlyCrcsCombine) {
  EXPECT_DEATH(combine_crc(Checksum::kSha256, Bytes(32), Bytes(32), 1), "only CRCs");
  EXPECT_DEATH(combine_crc(Checksum::kCrc32, Bytes(3), Bytes(4), 1), "size");
}

}  // namespace
}  // namespace andromede::crypto
