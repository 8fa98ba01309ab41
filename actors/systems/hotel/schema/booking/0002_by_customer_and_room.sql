-- Of a guest in a room: neither all of the guest's bookings nor all of the room's are walked.
CREATE INDEX booking_by_customer_and_room ON booking (customer_id, room_id, seq);
