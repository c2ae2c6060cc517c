"""The button without a browser."""

from reslab.widgets.button import Button


def test_each_press_calls_back_with_the_button():
    button, pressed = Button(description="Train"), []
    button.on_click(pressed.append)
    button.click()
    button.set_state(dict(presses=2))  # as a browser does
    assert pressed == [button, button] and button.presses == 2
