/* The one allocation of the core itself, that of a message which outgrows its struct, when it fails:
 * an error, and the message is as it was. Link with -Wl,--wrap=malloc. */
#include <stdio.h>
#include <stdlib.h>

#include "port.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static int failing;

void *__wrap_malloc(size_t size) {
    return failing ? NULL : __real_malloc(size);
}

int main(void) {
    static const uint8_t big[1000] = "a long text";
    const uint8_t *name = (const uint8_t *)"name";
    ws_message_t message;
    int wrong = 0;
    for (failing = 1; failing >= 0; failing--) {
        int wanted = failing ? WS_ERR_MEMORY : WS_OK;
        ws_message_start(&message);
        wrong += ws_message_set_topic(&message, name, 4) != WS_OK;
        wrong += ws_message_set_property(&message, name, 4, name, 4) != WS_OK;
        wrong += ws_message_set_property(&message, name, 4, big, sizeof big) != wanted;
        wrong += ws_message_properties(&message).length != (failing ? 10 : 6 + sizeof big);
        wrong += ws_message_topic(&message).length != 4;
        ws_message_end(&message);
        wrong += ws_message_set_topic(&message, big, sizeof big) != wanted;
        wrong += ws_message_topic(&message).length != (failing ? 0 : sizeof big);
        ws_message_end(&message);
    }
    printf("%d wrong\n", wrong);
    return wrong != 0;
}
