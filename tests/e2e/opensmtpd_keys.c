/*
 * Loaded into OpenSMTPD 6.8 before OpenSSL 3: without it no TLS handshake succeeds, whoever the client is.
 *
 * It marks the key that EVP_PKEY_get1_RSA gives, which was the certificate's own until OpenSSL 3 and is a
 * copy since; so what a handshake asks for is done with a key that has no private part. Here the copy becomes
 * the certificate's own again.
 */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED

#include <dlfcn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

struct rsa_st *EVP_PKEY_get1_RSA(EVP_PKEY *key)
{
    struct rsa_st *(*get)(EVP_PKEY *) =
        (struct rsa_st * (*)(EVP_PKEY *)) dlsym(RTLD_NEXT, "EVP_PKEY_get1_RSA");
    struct rsa_st *rsa = get(key);
    if (rsa)
        EVP_PKEY_set1_RSA(key, rsa);
    return rsa;
}

struct ec_key_st *EVP_PKEY_get1_EC_KEY(EVP_PKEY *key)
{
    struct ec_key_st *(*get)(EVP_PKEY *) =
        (struct ec_key_st * (*)(EVP_PKEY *)) dlsym(RTLD_NEXT, "EVP_PKEY_get1_EC_KEY");
    struct ec_key_st *ec = get(key);
    if (ec)
        EVP_PKEY_set1_EC_KEY(key, ec);
    return ec;
}
