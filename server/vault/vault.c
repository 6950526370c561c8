#include "server/vault/vault.h"

#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* NIST SP 800-38D, 5.2.1.1: "For IVs, it is recommended that implementations
 * restrict support to the length of 96 bits".  Random ones are safe for 2^32
 * values a key (8.3); we seal one for each source that is added. */
enum { FORMAT = 1, NONCE_BYTES = 12, TAG_BYTES = 16 };

_Static_assert(1 + NONCE_BYTES + TAG_BYTES == VAULT_OVERHEAD_BYTES,
	       "the header says what a sealed value is");

static const unsigned char *bytes_of(struct slice s)
{
	return (const unsigned char *)s.ptr;
}

/* What OPENSSL_CONF or a system-wide file names takes no part: the daemon
 * reads no environment, and loads no provider that somebody put there.  The
 * tables of names, which we never ask, would cost another millisecond. */
static EVP_CIPHER_CTX *context_new(void)
{
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
					 OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
					 OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
					 OPENSSL_INIT_NO_ADD_ALL_DIGESTS,
				 NULL))
		return NULL;
	return EVP_CIPHER_CTX_new();
}

static enum vault_outcome seal(const unsigned char *key, struct slice bound,
			       struct slice plain, unsigned char *sealed)
{
	unsigned char *nonce = sealed + 1;
	unsigned char *text = nonce + NONCE_BYTES;
	unsigned char *tag = text + plain.len;
	enum vault_outcome outcome = VAULT_BROKEN;
	EVP_CIPHER_CTX *context = NULL;
	int len = 0;

	if (plain.len > VAULT_LIMIT_BYTES || bound.len > VAULT_LIMIT_BYTES)
		goto out;
	sealed[0] = FORMAT;
	if (getentropy(nonce, NONCE_BYTES) != 0)
		goto out;
	context = context_new();
	if (!context ||
	    !EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) ||
	    !EVP_EncryptUpdate(context, NULL, &len, bytes_of(bound),
			       (int)bound.len) ||
	    !EVP_EncryptUpdate(context, text, &len, bytes_of(plain),
			       (int)plain.len) ||
	    !EVP_EncryptFinal_ex(context, text + len, &len) ||
	    !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag))
		goto out;
	outcome = VAULT_OK;
out:
	EVP_CIPHER_CTX_free(context); /* wipes its copy of the key */
	return outcome;
}

static enum vault_outcome open_sealed(const unsigned char *key,
				      struct slice bound, struct slice sealed,
				      unsigned char *plain)
{
	enum vault_outcome outcome = VAULT_REFUSED;
	EVP_CIPHER_CTX *context = NULL;
	unsigned char tag[TAG_BYTES];
	int len = 0;

	if (sealed.len < VAULT_OVERHEAD_BYTES ||
	    sealed.len > VAULT_LIMIT_BYTES + VAULT_OVERHEAD_BYTES ||
	    bound.len > VAULT_LIMIT_BYTES || sealed.ptr[0] != FORMAT)
		goto out;
	const unsigned char *nonce = bytes_of(sealed) + 1;
	const unsigned char *text = nonce + NONCE_BYTES;
	size_t text_len = sealed.len - VAULT_OVERHEAD_BYTES;
	memcpy(tag, text + text_len, TAG_BYTES);
	context = context_new();
	if (!context ||
	    !EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) ||
	    !EVP_DecryptUpdate(context, NULL, &len, bytes_of(bound),
			       (int)bound.len) ||
	    !EVP_DecryptUpdate(context, plain, &len, text, (int)text_len) ||
	    !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
				 tag)) {
		outcome = VAULT_BROKEN;
		goto out;
	}
	if (EVP_DecryptFinal_ex(context, plain + len, &len) > 0)
		outcome = VAULT_OK;
out:
	EVP_CIPHER_CTX_free(context);
	/* SP 800-38D, 7.2: what did not prove authentic is not revealed. */
	if (outcome != VAULT_OK)
		OPENSSL_cleanse(plain, sealed.len);
	return outcome;
}

const struct vault executor_vault = {
	.version = VAULT_VERSION,
	.seal = seal,
	.open = open_sealed,
};
