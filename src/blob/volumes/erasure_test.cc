#include "blob/volumes/erasure.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace andromede::blob {
namespace {

TEST(ErasureCode, AnyKBlocksGiveEveryOther) {
  SeededRandom random(7);
  for (const Code code : {Code{1, 1}, Code{1, 3}, Code{2, 2}, Code{3, 2}, Code{4, 2}, Code{6, 3}}) {
    for (const std::size_t size : {std::size_t{64}, std::size_t{4096}, std::size_t{65536}}) {
      const ErasureCode erasure(code);
      std::vector<Bytes> blocks(code.total(), Bytes(size));
      std::vector<const std::uint8_t*> data;
      std::vector<std::uint8_t*> parity;
      for (unsigned i = 0; i < code.total(); ++i) {
        if (i < code.data) {
          random.fill(blocks[i]);
          data.push_back(blocks[i].data());
        } else {
          parity.push_back(blocks[i].data());
        }
      }
      erasure.encode(size, data, parity);
      for (unsigned mask = 0; mask < (1U << code.total()); ++mask) {
        if (__builtin_popcount(mask) != code.data) continue;
        std::vector<const std::uint8_t*> there(code.total(), nullptr);
        for (unsigned i = 0; i < code.total(); ++i) {
          if ((mask >> i) & 1U) there[i] = blocks[i].data();
        }
        for (unsigned want = 0; want < code.total(); ++want) {
          Bytes out(size);
          erasure.rebuild(size, there, want, out.data());
          ASSERT_EQ(out, blocks[want]) << "mask " << mask << " want " << want;
        }
      }
    }
  }
}

TEST(ErasureCode, ParityOfOneDataShardIsItsCopy) {
  const ErasureCode erasure({.data = 1, .parity = 2});
  const Bytes data{1, 2, 3, 4, 5};
  Bytes first(5);
  Bytes second(5);
  erasure.encode(5, {data.data()}, {first.data(), second.data()});
  EXPECT_EQ(first, data);
  EXPECT_EQ(second, data);
}

// The generator is part of the format: 1 / (i xor j) in GF(2^8) modulo 0x11d, worked out here without ISA-L.
TEST(ErasureCode, UsesTheCauchyMatrixOfTheFormat) {
  const auto multiply = [](unsigned a, unsigned b) {
    unsigned product = 0;
    for (; b != 0; b >>= 1) {
      if (b & 1U) product ^= a;
      a <<= 1;
      if (a & 0x100U) a ^= 0x11dU;
    }
    return product;
  };
  const auto inverse = [&](unsigned a) {
    unsigned b = 1;
    while (multiply(a, b) != 1) ++b;
    return b;
  };
  const ErasureCode erasure({.data = 2, .parity = 2});
  const Bytes d0(64, 0x57);
  const Bytes d1(64, 0xa3);
  Bytes p0(64);
  Bytes p1(64);
  erasure.encode(64, {d0.data(), d1.data()}, {p0.data(), p1.data()});
  EXPECT_EQ(p0[0], multiply(0x57, inverse(2 ^ 0)) ^ multiply(0xa3, inverse(2 ^ 1)));
  EXPECT_EQ(p1[63], multiply(0x57, inverse(3 ^ 0)) ^ multiply(0xa3, inverse(3 ^ 1)));
}

}  // namespace
}  // namespace andromede::blob
